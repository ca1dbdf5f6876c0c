"""Rules and models read anew: one at a time, whole or not at all, for those who may."""

import asyncio
import io
from pathlib import Path

import pytest
from msgspec.structs import replace

from app.api.intake import IntakeAccess
from app.configuration import Configuration, read_configuration
from app.reloads import GroupReloads, Reloads
from app.settings import Settings, WikiSettings
from schemas.errors import NotReady, ReloadRefused, SettingsError
from schemas.secret import Secret
from tests.artefacts import write_artefact
from tests.served import served
from tests.unit.test_intake import WIKIS

RULES = "rules: {moss: {topic: mediawiki.page_change.v1, match: {wiki_id: mosswiki}}}"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return settings that name a file of rules, and a model in a folder."""
    write_artefact(tmp_path / "models")
    (tmp_path / "rules.yaml").write_text(RULES)
    return Settings(
        wikis={"mosswiki": WikiSettings({"revid": "tiny-revid"})},
        model_folders=(tmp_path / "models",),
        rules=str(tmp_path / "rules.yaml"),
    )


class Disk:
    """What is on it, and what was taken over from it."""

    def __init__(self, now: Configuration) -> None:
        self.now: Configuration | Exception = now
        self.taken: list[Configuration] = []
        self.refusal: Exception | None = None

    def read(self) -> Configuration:
        if isinstance(self.now, Exception):
            raise self.now
        return self.now

    async def take_over(self, new: Configuration) -> None:
        await asyncio.sleep(0)
        if self.refusal is not None:
            raise self.refusal
        self.taken.append(new)


def test_a_configuration_is_told_by_what_its_files_say(settings: Settings, tmp_path: Path) -> None:
    first = read_configuration(settings)
    assert read_configuration(settings).sha256 == first.sha256
    book = first.book()
    assert book is not None
    assert [rule.name for rule in book.rules] == ["moss"]
    (tmp_path / "rules.yaml").write_text(RULES.replace("mosswiki", "fernwiki"))
    by_rules = read_configuration(settings)
    write_artefact(tmp_path / "models", version="2.0.0")
    by_models = read_configuration(settings)
    assert len({first.sha256, by_rules.sha256, by_models.sha256}) == 3
    (tmp_path / "rules.yaml").unlink()
    with pytest.raises(SettingsError, match="cannot be read"):
        read_configuration(settings)


async def test_what_cannot_be_put_in_force_leaves_what_is_and_is_counted(settings: Settings) -> None:
    first = read_configuration(settings)
    disk = Disk(first)
    reloads = Reloads(disk.read, first, disk.take_over)
    began = reloads.status()
    assert (began.applied, began.refused, began.was_successful) == (0, 0, True)
    assert not (await reloads.reload()).is_changed
    assert disk.taken == []
    disk.now = SettingsError("It is not YAML.", path="rules.yaml")
    with pytest.raises(ReloadRefused, match="It is not YAML") as caught:
        await reloads.reload()
    assert caught.value.fields == {"cause": "settings_invalid", "path": "rules.yaml"}
    disk.now = replace(first, sha256="ab" * 32)
    for refusal in (NotReady("Later."), ReloadRefused("Other topics.", topics="moss")):
        disk.refusal = refusal
        with pytest.raises(type(refusal)) as refused:
            await reloads.reload()
        assert refused.value is refusal
    disk.refusal = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        await reloads.reload()
    after = reloads.status()
    assert (after.applied, after.refused, after.was_successful) == (1, 4, False)
    assert (after.config_hash, reloads.current) == (began.config_hash, first)
    disk.refusal = None
    assert (await reloads.reload()).is_changed
    assert [one.sha256 for one in disk.taken] == ["ab" * 32]
    assert reloads.status().config_hash == int("ab" * 6, 16)
    assert reloads.status().was_successful


async def test_who_asks_while_one_reloads_gets_the_next_and_who_goes_away_stops_nothing(
    settings: Settings,
) -> None:
    first = read_configuration(settings)
    disk = Disk(replace(first, sha256="ab" * 32))
    reloads = Reloads(disk.read, first, disk.take_over)
    leaving = asyncio.create_task(reloads.reload())
    await asyncio.sleep(0)
    leaving.cancel()
    assert not (await reloads.reload()).is_changed
    assert len(disk.taken) == 1


async def test_one_of_several_processes_tells_the_others_also_of_what_is_refused(settings: Settings) -> None:
    first = read_configuration(settings)
    disk, told = Disk(first), []
    group = GroupReloads(Reloads(disk.read, first, disk.take_over), lambda: told.append("all"))
    await group.reload()
    disk.now = SettingsError("It is not YAML.")
    with pytest.raises(ReloadRefused):
        await group.reload()
    assert told == ["all", "all"]


async def test_only_who_knows_the_token_has_a_process_reload(settings: Settings, tmp_path: Path) -> None:
    first = read_configuration(settings)
    disk = Disk(first)
    reloads = Reloads(disk.read, first, disk.take_over)
    token = Secret("moss")
    async with served(tmp_path, WIKIS, intake=IntakeAccess(token=token, reloads=reloads)) as running:

        async def post(**headers: str) -> int:
            status, _, _ = await running.ask(
                "/v1/reload", method="POST", data=io.BytesIO(b""), headers=headers
            )
            return int(status)

        assert await post() == 401
        assert await post(authorization="Bearer stone") == 401
        assert await post(authorization="Bearer moss", origin="http://moss.example") == 403
        assert reloads.status().applied == 0
        assert await post(authorization="Bearer moss") == 200
    async with served(tmp_path / "off", WIKIS) as running:
        status, answer, _ = await running.ask("/v1/reload", method="POST", data=io.BytesIO(b""))
        assert (status, answer["error"]["code"]) == (404, "request_invalid")
