{{- define "shop.observability" -}}
observability:
  metrics: {port: admin, path: /metrics}
  {{- with .Values.tracing }}
  {{- if .enabled }}
  tracing: {samplingRatio: {{ .samplingRatio | quote }}}
  {{- end }}
  {{- end }}
{{- end }}

{{/* What a monitoring stack looks for bears the labels by which it looks. */}}
{{- define "shop.monitored" -}}
app.kubernetes.io/name: shop
app.kubernetes.io/instance: {{ .Release.Name }}
{{- with .Values.monitoring.labels }}
{{ toYaml . }}
{{- end }}
{{- end }}
