{{/* The container, in both modes, as an item of a list. */}}
{{- define "pgusher.container" -}}
{{- $isSidecar := eq .Values.mode "sidecar" -}}
- name: pgusher
  image: {{ include "pgusher.image" . | quote }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  args: [serve]
  {{- if $isSidecar }}
  restartPolicy: Always
  {{- end }}
  env:
    - name: PGUSHER_CONFIG
      value: /etc/pgusher/config/pgusher.yaml
    {{- range $name, $from := .Values.secretEnv }}
    - name: {{ $name }}
      valueFrom:
        secretKeyRef:
          name: {{ $from.name }}
          key: {{ $from.key }}
    {{- end }}
    {{- range $name, $value := .Values.extraEnv }}
    - name: {{ $name }}
      value: {{ $value | quote }}
    {{- end }}
  {{- with .Values.existingSecret }}
  envFrom:
    - secretRef:
        name: {{ . }}
  {{- end }}
  ports:
    - name: {{ ternary "pgusher" "postgres" $isSidecar }}
      containerPort: {{ include "pgusher.listenPort" . }}
      protocol: TCP
    - name: {{ ternary "pgusher-admin" "admin" $isSidecar }}
      containerPort: {{ include "pgusher.adminPort" . }}
      protocol: TCP
  {{- range $probe, $path := dict "startup" "/startupz" "liveness" "/livez" "readiness" "/readyz" }}
  {{ $probe }}Probe:
    httpGet:
      path: {{ $path }}
      port: {{ ternary "pgusher-admin" "admin" $isSidecar }}
    {{- toYaml (index $.Values.probes $probe) | nindent 4 }}
  {{- end }}
  {{- if not $isSidecar }}
  lifecycle:
    preStop:
      exec:
        command: [pgusher, drain]
  {{- end }}
  resources:
    {{- toYaml .Values.resources | nindent 4 }}
  securityContext:
    {{- toYaml .Values.securityContext | nindent 4 }}
  volumeMounts:
    - name: pgusher-config
      mountPath: /etc/pgusher/config
      readOnly: true
    - name: pgusher-run
      mountPath: /run/pgusher
    {{- range $name, $_ := .Values.secretFiles }}
    - name: pgusher-secret-{{ $name }}
      mountPath: /etc/pgusher/secrets/{{ $name }}
      readOnly: true
    {{- end }}
{{- end }}

{{/*
The volumes of the container, as items of a list. A pod of its own has an fsGroup by which it reads
the Secrets; in a pod of somebody else everybody in the container may, and that is one user.
*/}}
{{- define "pgusher.volumes" -}}
- name: pgusher-config
  configMap:
    name: {{ include "pgusher.fullname" . }}
- name: pgusher-run
  emptyDir:
    medium: Memory
    sizeLimit: 1Mi
{{- range $name, $secret := .Values.secretFiles }}
- name: pgusher-secret-{{ $name }}
  secret:
    secretName: {{ $secret.secretName }}
    defaultMode: {{ ternary 292 288 (eq $.Values.mode "sidecar") }}
    {{- with $secret.items }}
    items:
      {{- toYaml . | nindent 6 }}
    {{- end }}
{{- end }}
{{- end }}
