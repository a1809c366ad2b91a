{{/* Names are those of the release, and every object of the chart carries these labels. */}}
{{- define "operator.labels" -}}
app.kubernetes.io/name: microservice-operator
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "operator.selector" -}}
app.kubernetes.io/name: microservice-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "operator.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end }}
{{- end }}
{{- end }}

{{/* And what a monitoring stack looks for bears the labels by which it looks. */}}
{{- define "operator.monitored" -}}
{{- include "operator.labels" . }}
{{- with .Values.platform.monitoring }}
{{- with .labels }}
{{ toYaml . }}
{{- end }}
{{- end }}
{{- end }}
