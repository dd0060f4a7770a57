{{/* What a schema can't say. Fails with one line for each mistake. */}}
{{- define "pgusher.validate" -}}
{{- $config := include "pgusher.config" . | fromYaml -}}
{{- $faults := list -}}
{{- if eq .Values.mode "sidecar" -}}
{{- range $name := list "autoscaling" "networkPolicy" "serviceMonitor" -}}
{{- if (index $.Values $name).enabled -}}
{{- $faults = append $faults (printf "%s.enabled: there is nothing for it in mode sidecar: the pods are the application's" $name) -}}
{{- end -}}
{{- end -}}
{{- else if has $config.listen.host (list "127.0.0.1" "localhost" "::1") -}}
{{- $faults = append $faults "config.listen.host: nobody would reach a Deployment there; leave it out" -}}
{{- end -}}
{{- if has $config.admin.host (list "127.0.0.1" "localhost" "::1") -}}
{{- $faults = append $faults "config.admin.host: probes would not reach it there; leave it out" -}}
{{- end -}}
{{- with .Values.terminationGracePeriodSeconds -}}
{{- $drain := include "pgusher.drainSeconds" $ | int64 -}}
{{- if le (int64 .) $drain -}}
{{- $faults = append $faults (printf "terminationGracePeriodSeconds: %d is not above the %d s that config.timeouts.drainDelayMs and drainMs allow" (int64 .) $drain) -}}
{{- end -}}
{{- end -}}
{{- with .Values.autoscaling -}}
{{- if gt (int .minReplicas) (int .maxReplicas) -}}
{{- $faults = append $faults "autoscaling.minReplicas: more than maxReplicas" -}}
{{- end -}}
{{- end -}}
{{- if and .Values.tests.user (not .Values.tests.passwordSecret.name) -}}
{{- $faults = append $faults "tests.passwordSecret.name: name the Secret with the password of tests.user" -}}
{{- end -}}
{{- range $name, $_ := .Values.secretEnv -}}
{{- if hasKey $.Values.extraEnv $name -}}
{{- $faults = append $faults (printf "extraEnv.%s: is in secretEnv as well" $name) -}}
{{- end -}}
{{- end -}}
{{- with .Values.prometheusRule.disabledAlerts -}}
{{- $alerts := include "pgusher.alertNames" $ | fromYamlArray -}}
{{- range . -}}
{{- if not (has . $alerts) -}}
{{- $faults = append $faults (printf "prometheusRule.disabledAlerts: there is no alert %s" .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $name, $_ := .Values.extraEnv -}}
{{- if regexMatch "^PGUSHER_(CONFIG|(LISTEN|ADMIN)_(HOST|PORT)|ADMIN_TOKEN_FILE|TIMEOUTS_DRAIN(_DELAY)?_MS)$" $name -}}
{{- $faults = append $faults (printf "extraEnv.%s: say it in config, where the chart reads it as well" $name) -}}
{{- end -}}
{{- end -}}
{{- $faults = concat $faults (include "pgusher.danglingReferences" . | fromYamlArray) -}}
{{- if $faults -}}
{{- fail (printf "\n\n%s\n" (join "\n" $faults)) -}}
{{- end -}}
{{- end }}

{{/* References of the configuration that nothing in these values leads to, as a list of faults. */}}
{{- define "pgusher.danglingReferences" -}}
{{- $text := include "pgusher.config" . | replace "$${" "" -}}
{{- $faults := list -}}
{{- if not .Values.existingSecret -}}
{{- range $reference := regexFindAll "\\$\\{env:[^}]+\\}" $text -1 | uniq -}}
{{- $name := trimSuffix "}" (trimPrefix "${env:" $reference) -}}
{{- if not (or (hasKey $.Values.secretEnv $name) (hasKey $.Values.extraEnv $name)) -}}
{{- $faults = append $faults (printf "config: %s: give the variable in secretEnv, or name a Secret that has it in existingSecret" $reference) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $path := regexFindAll "/etc/pgusher/secrets/[^/}\\s]+" $text -1 | uniq -}}
{{- if not (hasKey $.Values.secretFiles (base $path)) -}}
{{- $faults = append $faults (printf "config: %s: give the Secret in secretFiles.%s" $path (base $path)) -}}
{{- end -}}
{{- end -}}
{{- toYaml $faults -}}
{{- end }}
