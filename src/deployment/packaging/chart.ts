// The Helm chart: the same trees as `manifests` prints, as templates; values, their schema, and words for whoever installs.

import type { Capability } from '#coordination/capability.ts'
import { partsIn } from '#coordination/part-hosts.ts'
import { programVersion } from '#kube/version.ts'
import { installedBy } from '../capability-objects.ts'
import { type AccountName, definitions } from '../names.ts'
import { hookTrees } from '../objects/hook-objects.ts'
import { installationTrees } from '../objects.ts'
import type { ObjectTree } from '../tree.ts'
import { platforms, platformText } from '../values/platforms.ts'
import { jsonSchemaOf, valuesText } from '../values/values-schema.ts'
import { templateOf } from './template.ts'

/** Path in the chart → text. */
export function chartFiles(capabilities: readonly Capability[]): ReadonlyMap<string, string> {
  const schema = jsonSchemaOf(capabilities)
  const accounts: readonly AccountName[] = [
    ...(['serviceAccount', 'apiserverAccount', 'agentAccount'] as const),
    ...installedBy(capabilities).flatMap(({ block }) =>
      block === undefined ? [] : (block.accounts ?? [`${block.name}Account` as const]),
    ),
    ...(capabilities.some(one => partsIn('gateway', one).length > 0) ? (['gatewayAccount'] as const) : []),
  ]
  const byFile = new Map<string, ObjectTree[]>()
  const hooks = [...hookTrees(capabilities), ...installedBy(capabilities).flatMap(one => one.hooks?.(capabilities) ?? [])]
  for (const tree of [...installationTrees(capabilities), ...hooks]) {
    const trees = byFile.get(tree.file) ?? []
    trees.push(tree)
    byFile.set(tree.file, trees)
  }
  const shared = new Map<string, string>()
  const templates = [...byFile].map(([file, trees]) => [`templates/${file}`, templateOf(trees, shared)] as const)
  const files: readonly (readonly [string, string])[] = [
    ['Chart.yaml', chartYaml(capabilities)],
    ['values.yaml', valuesText(schema)],
    ['values.schema.json', `${JSON.stringify(schema, undefined, 2)}\n`],
    ['.helmignore', '.git/\n*.tgz\n'],
    ['README.md', readme],
    ['templates/NOTES.txt', notes],
    ['templates/_helpers.tpl', definitions(accounts)],
    ...Object.keys(platforms).map(name => [`platforms/${name}.yaml`, platformText(name)] as const),
    ...[...shared].map(
      ([name, text]) => [`templates/_${name}.tpl`, `{{- define "ballast.${name}" -}}\n${text}{{- end -}}\n`] as const,
    ),
    ['templates/extra-objects.yaml', extraObjects],
    ...templates,
  ]
  return new Map(files.toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

const extraObjects = '{{- range $.Values.extraObjects }}\n---\n{{ tpl (toYaml .) $ }}\n{{- end }}\n'

function chartYaml(capabilities: readonly Capability[]): string {
  const kinds = new Map(capabilities.flatMap(one => one.kinds.map(kind => [kind.kind, kind] as const)))
  const crds = [...kinds.values()]
    .map(
      ({ kind, version, group, plural }) =>
        `    - kind: ${kind}\n      version: ${version}\n      name: ${plural}.${group}\n      displayName: ${spaced(kind)}\n      description: ${spaced(kind)} of ${group}\n`,
    )
    .join('')
  return `apiVersion: v2
name: ballast
description: One controller for what keeps a cluster trim; every disruption passes one arbiter.
type: application
version: ${programVersion}
appVersion: "${programVersion}"
kubeVersion: ">=1.29.0-0"
home: https://github.com/ballast-dev/ballast
sources:
  - https://github.com/ballast-dev/ballast
keywords:
  - reloader
  - descheduler
  - spegel
  - rebalancing
annotations:
  artifacthub.io/license: Apache-2.0
  artifacthub.io/category: skip-prediction
  artifacthub.io/operator: "true"
  artifacthub.io/links: |
    - name: documents
      url: https://github.com/ballast-dev/ballast/tree/main/docs
    - name: support
      url: https://github.com/ballast-dev/ballast/issues
  artifacthub.io/images: |
    - name: ballast
      image: ghcr.io/ballast-dev/ballast:${programVersion}
      platforms:
        - linux/amd64
        - linux/arm64
  artifacthub.io/crds: |
${crds}`
}

/** `RebalancePolicy` as words; a row of capitals stays together. */
const spaced = (kind: string) => kind.replaceAll(/(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])/g, ' ')

const readme = `# Ballast

    helm install ballast . --namespace ballast-system --create-namespace --set capabilities.reload.enabled=true

Every value is described in \`values.yaml\`, and a key that does not exist is refused. The same objects come from
\`ballast manifests\`. Upgrading, rolling back and removing: \`docs/install.md\` of the project.

Where containerd is not where it mostly is, \`-f platforms/k3s.yaml\` (a file each for Talos, k3s, RKE2, k0s, kind, EKS, kubeadm) says so.

This chart is generated. Do not edit it.
`

const notes = `Ballast {{ .Chart.AppVersion }} runs in {{ include "ballast.namespace" . }}.

Enabled:{{ range $name, $section := .Values.capabilities }}{{ if $section.enabled }} {{ $name }}{{ end }}{{ end }}

  kubectl -n {{ include "ballast.namespace" . }} rollout status deployment/{{ include "ballast.fullname" . }}-controller
  kubectl -n {{ include "ballast.namespace" . }} get configmap ballast-status -o yaml

Its pods keep to the Pod Security Standard "restricted". To have the API server insist on it:

  kubectl label namespace {{ include "ballast.namespace" . }} pod-security.kubernetes.io/enforce=restricted
{{- if .Values.rbac.namespaced }}

It sees only: {{ join ", " .Values.rbac.namespaced }}.
{{- end }}

Before it is uninstalled, a Job takes back taints, gates and webhooks. {{ if .Values.crds.keep }}Its kinds and their objects stay:
kubectl delete crd -l app.kubernetes.io/part-of=ballast removes them for good.{{ end }}
`
