{{/*
For the chart of an application that depends on this one, with `mode: sidecar` in its values. All
of them take the context of this chart: {{ include "pgusher.sidecar" .Subcharts.pgusher }}

The native sidecar, as an item of the pod's initContainers. It has no preStop hook: Kubernetes runs
those of sidecars together with the application's, but tells sidecars to stop only when the
application has ended.
*/}}
{{- define "pgusher.sidecar" -}}
{{- if ne .Values.mode "sidecar" -}}
{{- fail "pgusher.sidecar: set mode to sidecar in the values of the chart pgusher" -}}
{{- end -}}
{{- include "pgusher.container" . -}}
{{- end }}

{{/* Items of the pod's volumes. */}}
{{- define "pgusher.sidecarVolumes" -}}
{{- include "pgusher.volumes" . -}}
{{- end }}

{{/* Labels of the pod, by which the PodMonitor finds it. */}}
{{- define "pgusher.sidecarLabels" -}}
pgusher-sidecar: {{ include "pgusher.fullname" . }}
{{- end }}

{{/* Annotations of the pod: a new configuration makes new pods. */}}
{{- define "pgusher.sidecarAnnotations" -}}
checksum/pgusher: {{ include "pgusher.checksum" . }}
{{- end }}
