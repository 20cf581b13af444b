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

export type AccountName = Extract<Named, `${string}Account`>
type Working = (values: Values, release: Release) => string

/** Where the values say what an account is called, and how its name ends where they do not. */
interface AccountPlace {
  readonly path: string
  readonly end: string
}

/** Accounts that are not called as their process is. */
const otherPlaces: Readonly<Record<string, AccountPlace>> = {
  serviceAccount: { path: 'controller.serviceAccount.name', end: 'controller' },
  mirrorAccount: { path: 'mirror.serviceAccount.name', end: 'agent-mirror' },
  nfsAccount: { path: 'nfs.node.serviceAccount.name', end: 'agent-nfs' },
  nfsControllerAccount: { path: 'nfs.controller.serviceAccount.name', end: 'nfs-controller' },
}

function accountPlace(name: AccountName): AccountPlace {
  const process = name.replace(/Account$/, '')
  return otherPlaces[name] ?? { path: `${process}.serviceAccount.name`, end: process }
}

const isAccount = (named: Named): named is AccountName => named.endsWith('Account')

const functions: Readonly<Record<Exclude<Named, AccountName>, Working>> = {
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
  if (!isAccount(named)) return functions[named](values, release)
  const { path, end } = accountPlace(named)
  return textAt(values, path) || `${functions.fullname(values, release)}-${end}`
}

/** How a template says a name. */
export function namedTemplate(named: Named): string {
  if (named === 'release') return '$.Release.Name'
  if (named === 'service') return '$.Release.Service'
  return `include "ballast.${named}" $`
}

/** The chart's `_helpers.tpl`, with the accounts of the processes whose blocks are in the values. */
export function definitions(accounts: readonly AccountName[]): string {
  return `${naming}${accounts.map(accountDefinition).join('')}${labelling}`
}

function accountDefinition(name: AccountName): string {
  const { path, end } = accountPlace(name)
  return `{{- define "ballast.${name}" -}}
{{- default (printf "%s-${end}" (include "ballast.fullname" .)) .Values.${path} -}}
{{- end -}}

`
}

const naming = `{{- /* Names; each says what src/deployment/names.ts says. */ -}}
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

`

const labelling = `{{- define "ballast.labels" -}}
app.kubernetes.io/name: "{{ include "ballast.name" .root }}"
app.kubernetes.io/instance: "{{ .root.Release.Name }}"
app.kubernetes.io/component: {{ .component }}
app.kubernetes.io/version: "{{ .root.Chart.AppVersion }}"
app.kubernetes.io/part-of: ballast
app.kubernetes.io/managed-by: "{{ .root.Release.Service }}"
helm.sh/chart: "{{ .root.Chart.Name }}-{{ .root.Chart.Version | replace "+" "_" }}"
{{- end -}}
`
