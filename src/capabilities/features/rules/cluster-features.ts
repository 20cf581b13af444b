// NodeFeatures and NodeFeatureRules out of whatever was read; what is none is set aside by name, and the rest stands.

import type { z } from 'zod'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { Problem } from '#kube/problem.ts'
import { checkAgainst } from '#kube/schema/schema-problems.ts'
import { nfdGroup, nodeNameLabel, publishedForAnnotation } from '../names.ts'
import type { NodeFeatureSource, RuleObject } from './node-outcome.ts'
import { readFeatures, readRule } from './read-rule.ts'
import { nodeFeatureRuleSpec, nodeFeatureSpec } from './rule-schema.ts'

interface ClusterFeatures {
  /** By name of the node, in order of names. */
  readonly sources: ReadonlyMap<string, readonly NodeFeatureSource[]>
  readonly rules: readonly RuleObject[]
  readonly problems: readonly Problem[]
}

/** Sorts out what `objects` say of features; kinds of others are passed over. */
export function clusterFeatures(objects: Iterable<KubeObject>): ClusterFeatures {
  const sources = new Map<string, NodeFeatureSource[]>()
  const rules: RuleObject[] = []
  const problems: Problem[] = []
  const checked = <T extends z.ZodType>(schema: T, object: KubeObject): z.output<T> | undefined => {
    const read = checkAgainst(schema, object['spec'] ?? {}, `${object.kind} ${placeOf(object)}: spec`)
    if (read.ok) return read.value
    problems.push(...read.problems)
    return undefined
  }
  for (const object of objects) {
    if (!object.apiVersion.startsWith(`${nfdGroup}/`)) continue
    if (object.kind === 'NodeFeatureRule') {
      const spec = checked(nodeFeatureRuleSpec, object)
      if (spec !== undefined) rules.push({ name: object.metadata.name, rules: spec.rules.map(readRule) })
    }
    if (object.kind !== 'NodeFeature') continue
    const node = object.metadata.labels?.[nodeNameLabel] ?? ''
    if (node === '') {
      problems.push({
        code: 'node-feature-of-nobody',
        where: `NodeFeature ${placeOf(object)}: metadata.labels`,
        found: 'nothing',
        expected: `the name of its node in the label ${nodeNameLabel}`,
      })
      continue
    }
    const spec = checked(nodeFeatureSpec, object)
    if (spec === undefined) continue
    const { name, namespace = 'default' } = object.metadata
    const labels = new Map(Object.entries(spec.labels ?? {}))
    const publishedFor = object.metadata.annotations?.[publishedForAnnotation]
    const source = {
      namespace,
      name,
      features: readFeatures(spec.features ?? {}),
      labels,
      ...(publishedFor === undefined ? {} : { publishedFor }),
    }
    sources.set(node, [...(sources.get(node) ?? []), source])
  }
  return { sources: new Map([...sources].sort(([a], [b]) => (a < b ? -1 : 1))), rules, problems }
}

function placeOf({ metadata }: KubeObject): string {
  return metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`
}
