// What the controller lies in and reads: namespace, quota, kinds, configuration.

import type { Capability } from '#coordination/capability.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { programVersion } from '#kube/version.ts'
import {
  all,
  any,
  block,
  type Condition,
  type Fields,
  type Line,
  lines,
  not,
  type ObjectTree,
  type Tree,
  value,
  when,
} from '../tree.ts'
import type { JsonSchema } from '../values/values-schema.ts'
import { fullName, labelsOf, metadataOf, nameText } from './object-shapes.ts'

/** Namespace and quota. The level "restricted" is what our pods keep to. */
export function namespaceObjects(): readonly ObjectTree[] {
  const levels = Object.fromEntries(
    ['audit', 'enforce', 'warn'].map(mode => [`pod-security.kubernetes.io/${mode}`, 'restricted']),
  )
  return [
    {
      file: 'namespace.yaml',
      when: { on: 'namespace.create' },
      tree: {
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: metadataOf({ name: nameText('namespace'), namespace: undefined, component: 'namespace', labels: levels }),
      },
    },
    {
      file: 'namespace.yaml',
      // In kube-system such pods are admitted anyway, and a quota would count those of others.
      when: all({ on: 'resourceQuota.create' }, not({ namespace: 'kube-system' })),
      tree: {
        apiVersion: 'v1',
        kind: 'ResourceQuota',
        metadata: metadataOf({ name: fullName('-critical-pods'), component: 'namespace' }),
        spec: {
          hard: { pods: '1G' },
          scopeSelector: {
            matchExpressions: [
              {
                operator: 'In',
                scopeName: 'PriorityClass',
                values: ['system-cluster-critical', 'system-node-critical'],
              },
            ],
          },
        },
      },
    },
  ]
}

/** The kinds of what is enabled, a file each. They outlive the release: with a kind all its objects would go. */
export function definitionObjects(capabilities: readonly Capability[]): readonly ObjectTree[] {
  const definitions = new Map<string, { readonly definition: KubeObject; readonly of: string[] }>()
  for (const { name, kinds } of capabilities)
    for (const { definition } of kinds) {
      if (definition === undefined) continue
      const known = definitions.get(definition.metadata.name)
      if (known === undefined) definitions.set(definition.metadata.name, { definition, of: [name] })
      else known.of.push(name)
    }
  return [...definitions]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { definition, of }]) => {
      const { metadata, ...rest } = definition
      return {
        file: `crds/${name}.yaml`,
        when: all({ on: 'crds.install' }, any(...of.map((one): Condition => ({ on: `capabilities.${one}.enabled` })))),
        tree: {
          ...(rest as Fields),
          metadata: {
            name,
            labels: labelsOf('crds', { 'ballast.dev/capability': of.join('.'), 'ballast.dev/version': programVersion }),
            annotations: definitionAnnotations(metadata.annotations ?? {}),
          },
        },
      }
    })
}

function definitionAnnotations(own: Readonly<Record<string, string>>): Tree {
  const maps = ['crds.annotations', 'commonAnnotations']
  const from = Object.fromEntries(maps.map(path => [`...${path}`, block(path)]))
  const isAny = any({ on: 'crds.keep' }, ...maps.map(path => ({ on: path })))
  const annotations: Fields = { '...keep': when({ on: 'crds.keep' }, { 'helm.sh/resource-policy': 'keep' }), ...from }
  return Object.keys(own).length > 0 ? { ...own, ...annotations } : when(isAny, annotations)
}

/** Beside the configuration file: what webhooks ask for of API servers. */
export const clientAuthorityFile = 'webhook-client-ca.crt'

/** The configuration file. Each key stands for itself, so that what the values lack is left to the program's default. */
export function configurationObject(schema: JsonSchema, namespace: Tree = nameText('namespace')): ObjectTree {
  const sections = ['process', 'arbiter', 'dashboard']
    .flatMap(name => section(name, name, schema.properties?.[name], 0))
    .flatMap(narrowed)
  const capabilities = Object.entries(schema.properties?.['capabilities']?.properties ?? {}).flatMap(([name, inner]) =>
    section(name, `capabilities.${name}`, inner, 1),
  )
  return {
    file: 'config.yaml',
    tree: {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: metadataOf({ name: fullName('-config'), namespace, component: 'controller' }),
      data: {
        'config.yaml': lines([
          { text: 'apiVersion: ballast.dev/v1alpha1' },
          { text: 'kind: BallastConfiguration' },
          ...sections,
          { text: 'capabilities:' },
          ...capabilities,
        ]),
        [clientAuthorityFile]: when({ on: 'webhooks.clientCA' }, value('webhooks.clientCA')),
      },
    },
  }
}

/** Where rights are for some namespaces only, these are what is watched unless the process says otherwise. */
function narrowed(line: Line): readonly Line[] {
  if (line.value !== 'process.watchNamespaces') return [line]
  const isNarrowed = all({ on: 'rbac.namespaced' }, not({ on: line.value }))
  return [
    { ...line, value: 'rbac.namespaced', when: isNarrowed },
    { ...line, when: all(...(line.when === undefined ? [] : [line.when]), not(isNarrowed)) },
  ]
}

function section(name: string, path: string, schema: JsonSchema | undefined, depth: number): readonly Line[] {
  const pad = '  '.repeat(depth)
  const keys = Object.keys(schema?.properties ?? {})
  return [
    { text: `${pad}${name}:` },
    ...keys.map((key): Line => ({ text: `${pad}  ${key}: `, value: `${path}.${key}`, when: { present: `${path}.${key}` } })),
  ]
}
