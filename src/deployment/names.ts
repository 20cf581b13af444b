// What an installation is called, and what follows from that; `definitions` says the same to Helm.
import { standardAgentNamespace } from '#coordination/capability.ts'
import type { Named } from './tree.ts'

/** Who installs, and where. */
export interface Release {
  readonly name: string
  readonly namespace: string
  /** `Helm`, or who else manages the objects: the label `app.kubernetes.io/managed-by`. */
  readonly service: string
  readonly version: string
  /** Groups and versions that the cluster serves, as far as objects depend on it. */
  readonly served: ReadonlySet<string>
}

export type Values = Readonly<Record<string, unknown>>

/** The value at a dotted path; `undefined` where there is none. */
export function valueAt(values: Values, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>((inner, key) => (typeof inner === 'object' && inner !== null ? Reflect.get(inner, key) : undefined), values)
}

const textAt = (values: Values, path: string) => {
  const found = valueAt(values, path)
  return typeof found === 'string' ? found : ''
}

/** Names of objects are labels at most 63 characters long, and some get a suffix. */
const longestName = 44
const shortened = (name: string) => name.slice(0, longestName).replace(/-$/, '')

const functions: Readonly<Record<Named, (values: Values, release: Release) => string>> = {
  name: values => textAt(values, 'nameOverride') || 'ballast',
  fullname(values, release) {
    const full = textAt(values, 'fullnameOverride')
    if (full !== '') return shortened(full)
    const name = functions.name(values, release)
    return shortened(release.name.includes(name) ? release.name : `${release.name}-${name}`)
  },
  namespace: (values, release) => textAt(values, 'namespaceOverride') || release.namespace,
  agentNamespace: values => textAt(values, 'agent.namespace') || standardAgentNamespace,
  image(values, release) {
    const registry = textAt(values, 'global.imageRegistry') || textAt(values, 'image.registry')
    const digest = textAt(values, 'image.digest')
    const end = digest === '' ? `:${textAt(values, 'image.tag') || release.version}` : `@${digest}`
    return `${registry === '' ? '' : `${registry}/`}${textAt(values, 'image.repository')}${end}`
  },
  serviceAccount: (values, release) =>
    textAt(values, 'controller.serviceAccount.name') || `${functions.fullname(values, release)}-controller`,
  apiserverAccount: (values, release) =>
    textAt(values, 'apiserver.serviceAccount.name') || `${functions.fullname(values, release)}-apiserver`,
  gatewayAccount: (values, release) =>
    textAt(values, 'gateway.serviceAccount.name') || `${functions.fullname(values, release)}-gateway`,
  agentAccount: (values, release) =>
    textAt(values, 'agent.serviceAccount.name') || `${functions.fullname(values, release)}-agent`,
  mirrorAccount: (values, release) =>
    textAt(values, 'mirror.serviceAccount.name') || `${functions.fullname(values, release)}-agent-mirror`,
  deschedulerAccount: (values, release) =>
    textAt(values, 'descheduler.serviceAccount.name') || `${functions.fullname(values, release)}-descheduler`,
  release: (_values, release) => release.name,
  service: (_values, release) => release.service,
}

/** The labels that every object has; with Helm also that of its chart, by which Helm's own tools look. */
export function standardLabels(component: string, values: Values, release: Release): Readonly<Record<string, string>> {
  return {
    'app.kubernetes.io/name': functions.name(values, release),
    'app.kubernetes.io/instance': release.name,
    'app.kubernetes.io/component': component,
    'app.kubernetes.io/version': release.version,
    'app.kubernetes.io/part-of': 'ballast',
    'app.kubernetes.io/managed-by': release.service,
  }
}

export function nameOf(named: Named, values: Values, release: Release): string {
  return functions[named](values, release)
}

/** How a template says a name. */
export function namedTemplate(named: Named): string {
  if (named === 'release') return '$.Release.Name'
  if (named === 'service') return '$.Release.Service'
  return `include "ballast.${named}" $`
}

/** The chart's `_helpers.tpl`. */
export const definitions = `{{- /* Names; each says what src/deployment/names.ts says. */ -}}
{{- define "ballast.name" -}}
{{- default "ballast" .Values.nameOverride -}}
{{- end -}}

{{- define "ballast.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc ${longestName} | trimSuffix "-" -}}
{{- else if contains (include "ballast.name" .) .Release.Name -}}
{{- .Release.Name | trunc ${longestName} | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "ballast.name" .) | trunc ${longestName} | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "ballast.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{- define "ballast.agentNamespace" -}}
{{- default "${standardAgentNamespace}" .Values.agent.namespace -}}
{{- end -}}

{{- define "ballast.image" -}}
{{- $registry := default .Values.image.registry .Values.global.imageRegistry -}}
{{- if $registry }}{{ $registry }}/{{ end -}}
{{- .Values.image.repository -}}
{{- if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ default .Chart.AppVersion .Values.image.tag }}{{ end -}}
{{- end -}}

{{- define "ballast.serviceAccount" -}}
{{- default (printf "%s-controller" (include "ballast.fullname" .)) .Values.controller.serviceAccount.name -}}
{{- end -}}

{{- define "ballast.apiserverAccount" -}}
{{- default (printf "%s-apiserver" (include "ballast.fullname" .)) .Values.apiserver.serviceAccount.name -}}
{{- end -}}

{{- define "ballast.agentAccount" -}}
{{- default (printf "%s-agent" (include "ballast.fullname" .)) .Values.agent.serviceAccount.name -}}
{{- end -}}

{{- define "ballast.mirrorAccount" -}}
{{- default (printf "%s-agent-mirror" (include "ballast.fullname" .)) .Values.mirror.serviceAccount.name -}}
{{- end -}}

{{- define "ballast.deschedulerAccount" -}}
{{- default (printf "%s-descheduler" (include "ballast.fullname" .)) .Values.descheduler.serviceAccount.name -}}
{{- end -}}

{{- define "ballast.labels" -}}
app.kubernetes.io/name: "{{ include "ballast.name" .root }}"
app.kubernetes.io/instance: "{{ .root.Release.Name }}"
app.kubernetes.io/component: {{ .component }}
app.kubernetes.io/version: "{{ .root.Chart.AppVersion }}"
app.kubernetes.io/part-of: ballast
app.kubernetes.io/managed-by: "{{ .root.Release.Service }}"
helm.sh/chart: "{{ .root.Chart.Name }}-{{ .root.Chart.Version | replace "+" "_" }}"
{{- end -}}
`

/** What `_helpers.tpl` has besides where a capability has a part in the gateway: without one the values have no such block. */
export const gatewayDefinition = `
{{- define "ballast.gatewayAccount" -}}
{{- default (printf "%s-gateway" (include "ballast.fullname" .)) .Values.gateway.serviceAccount.name -}}
{{- end -}}
`
