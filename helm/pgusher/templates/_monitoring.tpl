{{/* What ServiceMonitor and PodMonitor say alike of an endpoint, from the values of one of them. */}}
{{- define "pgusher.scrape" -}}
path: /metrics
{{- with .interval }}
interval: {{ . }}
{{- end }}
{{- with .scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
relabelings:
  # One job, whatever Services and pods are called.
  - action: replace
    targetLabel: job
    replacement: pgusher
  {{- with .relabelings }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* The names of all alerts in the rule files, as a list. */}}
{{- define "pgusher.alertNames" -}}
{{- $names := list -}}
{{- range $path, $_ := .Files.Glob "files/rules/*.yaml" -}}
{{- range (fromYaml ($.Files.Get $path)).groups -}}
{{- range .rules -}}
{{- with .alert -}}
{{- $names = append $names . -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml $names -}}
{{- end }}

{{/* The rule files, less what is disabled and with what is added, as the groups of one rule. */}}
{{- define "pgusher.ruleGroups" -}}
{{- $values := .Values.prometheusRule -}}
{{- $groups := list -}}
{{- range $path, $_ := .Files.Glob "files/rules/*.yaml" -}}
{{- range $group := (fromYaml ($.Files.Get $path)).groups -}}
{{- $rules := list -}}
{{- range $rule := $group.rules -}}
{{- if not (has $rule.alert $values.disabledAlerts) -}}
{{- if $rule.alert -}}
{{- with merge (deepCopy $values.alertLabels) (default dict $rule.labels) -}}
{{- $_ := set $rule "labels" . -}}
{{- end -}}
{{- $runbook := dig "annotations" "runbook_url" "" $rule -}}
{{- if and $values.runbookBaseUrl $runbook -}}
{{- $_ := set $rule.annotations "runbook_url" (printf "%s/%s" (trimSuffix "/" $values.runbookBaseUrl) (base $runbook)) -}}
{{- end -}}
{{- end -}}
{{- $rules = append $rules $rule -}}
{{- end -}}
{{- end -}}
{{- if $rules -}}
{{- $groups = append $groups (merge (dict "rules" $rules) $group) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml $groups -}}
{{- end }}
