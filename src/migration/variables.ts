// Variables that upstream takes from Secrets: a pod reads Secrets of its own namespace only, so they have to come along.

import { listAt, templateOf, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import type { ConvertedValues } from '#upstreams/convert-values.ts'
import { valueAt } from '#upstreams/values-tree.ts'
import type { Ours } from './place.ts'
import { optional } from './reading.ts'
import { StepFailed, type Swap } from './step.ts'

const extraOf = ({ values }: ConvertedValues): readonly unknown[] => listAt(values, 'controller', 'extraEnv')

/** Names of Secrets, each with the keys that variables name. */
export function namedSecrets(converted: ConvertedValues): ReadonlyMap<string, readonly string[]> {
  const references = extraOf(converted).flatMap(variable => {
    const name = textAt(variable, 'valueFrom', 'secretKeyRef', 'name')
    const key = textAt(variable, 'valueFrom', 'secretKeyRef', 'key')
    return name === undefined || key === undefined ? [] : [{ name, key }]
  })
  return new Map(
    Array.from(
      Map.groupBy(references, ({ name }) => name),
      ([name, ones]) => [name, ones.map(({ key }) => key)],
    ),
  )
}

/**
 * Copies of these Secrets of `from` for `to`, with no more keys than are named; of those that `to` does not have yet.
 * @throws StepFailed for one that cannot be read
 */
export async function copiedSecrets(
  { api, signal }: Swap,
  converted: ConvertedValues,
  { from, to }: { readonly from: string; readonly to: string },
): Promise<readonly KubeObject[]> {
  const copies: KubeObject[] = []
  for (const [name, keys] of namedSecrets(converted)) {
    const secrets = api.resource(builtIn.secrets)
    if (from === to || (await optional(secrets.get(name, { namespace: to, signal }))) !== undefined) continue
    const secret = await optional(secrets.get(name, { namespace: from, signal }))
    if (secret === undefined)
      throw new StepFailed(
        `Secret ${from}/${name}, of which upstream takes ${keys.join(', ')}, is not there or may not be read: make one of that name in ${to}, or allow it`,
      )
    const data = keys.flatMap(key => {
      const value = valueAt(secret['data'], [key])
      return typeof value === 'string' ? [[key, value] as const] : []
    })
    copies.push({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: {
        name,
        namespace: to,
        labels: { 'app.kubernetes.io/part-of': 'ballast', 'app.kubernetes.io/instance': 'ballast' },
      },
      type: 'Opaque',
      data: Object.fromEntries(data),
    })
  }
  return copies
}

/** Variables that upstream has and the controller that is there has not. */
export function missingVariables(converted: ConvertedValues, { controller }: Ours): readonly string[] {
  const present = listAt(templateOf(controller), 'spec', 'containers').flatMap(container => listAt(container, 'env'))
  const names = new Set(present.map(variable => textAt(variable, 'name')))
  return extraOf(converted).flatMap(variable => {
    const name = textAt(variable, 'name')
    return name === undefined || names.has(name) ? [] : [name]
  })
}
