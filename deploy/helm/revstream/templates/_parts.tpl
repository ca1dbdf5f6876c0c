{{- define "revstream.name" -}}
{{- printf "%s" .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "revstream.labels" -}}
app.kubernetes.io/name: revstream
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "revstream.set" -}}
{{- $root := .root -}}
{{- $component := .component -}}
{{- $own := index $root.Values $component -}}
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: {{ include "revstream.name" $root }}-{{ $component }}
  labels:
    {{- include "revstream.labels" . | nindent 4 }}
    app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
spec:
  serviceName: {{ include "revstream.name" $root }}-{{ $component }}-pods
  replicas: {{ $own.replicas }}
  # One after another, each when the one before is ready: others answer for it meanwhile.
  podManagementPolicy: OrderedReady
  updateStrategy:
    type: RollingUpdate
  selector:
    matchLabels:
      {{- include "revstream.labels" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "revstream.labels" . | nindent 8 }}
      annotations:
        checksum/rules: {{ $root.Values.rules | sha256sum }}
        {{- if $root.Values.prometheus.scrape }}
        prometheus.io/scrape: "true"
        prometheus.io/port: "8090"
        prometheus.io/path: /metrics
        {{- end }}
    spec:
      terminationGracePeriodSeconds: {{ $root.Values.terminationGracePeriodSeconds }}
      automountServiceAccountToken: false
      securityContext:
        runAsNonRoot: true
        runAsUser: 10001
        fsGroup: 10001
        seccompProfile:
          type: RuntimeDefault
      containers:
        - name: revstream
          image: {{ printf "%s:%s" $root.Values.image.repository (default $root.Chart.AppVersion $root.Values.image.tag) | quote }}
          imagePullPolicy: {{ $root.Values.image.pullPolicy }}
          args: [{{ $component | quote }}]
          ports:
            - name: http
              containerPort: 8090
          env:
            - name: POD_NAME
              valueFrom:
                fieldRef:
                  fieldPath: metadata.name
            - name: REVSTREAM_BROKER
              value: {{ $root.Values.kafka.broker | quote }}
            - name: REVSTREAM_LOG_FORMAT
              value: json
            - name: REVSTREAM_SHUTDOWN_DELAY_SECONDS
              value: {{ $root.Values.shutdownDelaySeconds | quote }}
            {{- if eq $component "worker" }}
            - name: REVSTREAM_ADVERTISED_URL
              value: http://$(POD_NAME).{{ include "revstream.name" $root }}-worker-pods:8090
            - name: REVSTREAM_STANDBY_REPLICAS
              value: {{ $own.standbyReplicas | quote }}
            {{- else }}
            - name: REVSTREAM_WORKERS
              value: {{ $own.processes | quote }}
            {{- end }}
            {{- if $root.Values.rules }}
            - name: REVSTREAM_RULES
              value: /etc/revstream/rules.yaml
            {{- end }}
            {{- range $name, $value := $root.Values.settings }}
            {{- if ne (toString $value) "" }}
            - name: {{ $name }}
              value: {{ $value | quote }}
            {{- end }}
            {{- end }}
          {{- with $root.Values.kafka.existingSecret }}
          envFrom:
            - secretRef:
                name: {{ . }}
          {{- end }}
          # Recovery of the tables takes as long as it takes: the process turns, and is not ready.
          livenessProbe:
            httpGet:
              path: /healthz
              port: http
            initialDelaySeconds: 60
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 6
          readinessProbe:
            httpGet:
              path: /readyz
              port: http
            periodSeconds: 5
            timeoutSeconds: 5
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities:
              drop: [ALL]
          resources:
            {{- toYaml $own.resources | nindent 12 }}
          volumeMounts:
            - name: data
              mountPath: /data
            - name: tmp
              mountPath: /tmp
            {{- if $root.Values.rules }}
            - name: rules
              mountPath: /etc/revstream
              readOnly: true
            {{- end }}
      volumes:
        - name: tmp
          emptyDir: {}
        {{- if $root.Values.rules }}
        - name: rules
          configMap:
            name: {{ include "revstream.name" $root }}-rules
        {{- end }}
  volumeClaimTemplates:
    - metadata:
        name: data
      spec:
        accessModes: [ReadWriteOnce]
        {{- with $own.storage.className }}
        storageClassName: {{ . }}
        {{- end }}
        resources:
          requests:
            storage: {{ $own.storage.size }}
{{- end -}}
