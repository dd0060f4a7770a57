{{/*
What the chart itself relies on, or what the mode asks for. The probes of kubelet come over the
network of the pod, also to a sidecar.
*/}}
{{- define "pgusher.modeConfig" -}}
listen:
  host: {{ ternary "127.0.0.1" "0.0.0.0" (eq .Values.mode "sidecar") }}
  port: 6432
admin:
  host: 0.0.0.0
  port: 9127
  tokenFile: /run/pgusher/admin-token
timeouts:
  drainDelayMs: {{ ternary 0 5000 (eq .Values.mode "sidecar") }}
  drainMs: 25000
{{- end }}

{{/* What was given of a map: a key without a value counts as not given, as it does for the proxy. */}}
{{- define "pgusher.given" -}}
{{- $given := dict -}}
{{- range $key, $value := . -}}
{{- if kindIs "map" $value -}}
{{- $_ := set $given $key (include "pgusher.given" $value | fromYaml) -}}
{{- else if not (kindIs "invalid" $value) -}}
{{- $_ := set $given $key $value -}}
{{- end -}}
{{- end -}}
{{- toYaml $given -}}
{{- end }}

{{/* The configuration file, with what the mode gives and the user did not. */}}
{{- define "pgusher.config" -}}
{{- mustMergeOverwrite (include "pgusher.modeConfig" . | fromYaml) (include "pgusher.given" .Values.config | fromYaml) | toYaml -}}
{{- end }}

{{- define "pgusher.listenPort" -}}
{{- (include "pgusher.config" . | fromYaml).listen.port | int -}}
{{- end }}

{{- define "pgusher.adminPort" -}}
{{- (include "pgusher.config" . | fromYaml).admin.port | int -}}
{{- end }}

{{/* How long a proxy takes to end at most, in whole seconds: one of them is for its last words. */}}
{{- define "pgusher.drainSeconds" -}}
{{- $timeouts := (include "pgusher.config" . | fromYaml).timeouts -}}
{{- divf (add (int64 $timeouts.drainDelayMs) (int64 $timeouts.drainMs) 1000) 1000.0 | ceil | int64 -}}
{{- end }}

{{/* What a pod with PgUsher in it needs at least; an application may need more to end by itself. */}}
{{- define "pgusher.terminationGracePeriodSeconds" -}}
{{- if kindIs "invalid" .Values.terminationGracePeriodSeconds -}}
{{- add (include "pgusher.drainSeconds" . | int64) 10 -}}
{{- else -}}
{{- .Values.terminationGracePeriodSeconds | int64 -}}
{{- end -}}
{{- end }}

{{/* Changes with the configuration: an annotation of pods, so that they are replaced. */}}
{{- define "pgusher.checksum" -}}
{{- include "pgusher.config" . | sha256sum -}}
{{- end }}
