// Where a step's DeschedulerPolicy comes from: the scenario itself, a file beside it, or a ConfigMap of the cluster, as its chart makes one.

import type { ClusterState } from '#cluster/cluster-state.ts'
import { readDocuments } from '#cluster/documents.ts'
import { isFields } from '#cluster/loose-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { InputError } from '#kube/problem.ts'
import type { OperationOf } from '#planning/simulation/scenario.ts'
import type { Rehearse } from '#planning/simulation/step-context.ts'
import { openRehearsal } from './rehearsal.ts'

interface PolicyText {
  readonly text: string
  /** What messages call it. */
  readonly shown: string
}

/** In upstream's charts and manifests. */
const policyKey = 'policy.yaml'

/** Cycles of the policy that the step names; `undefined` where it names none of a descheduler. @throws InputError for a ConfigMap without one */
export const rehearseStep: Rehearse = (wish, { state, textOf, clock, signal }) => {
  const found = policyIn(wish, state, textOf)
  return found === undefined ? undefined : openRehearsal(found.text, { file: found.shown, state, clock, signal })
}

function policyIn(
  wish: OperationOf<'applyPolicy'>,
  state: ClusterState,
  textOf: (file: string) => string,
): PolicyText | undefined {
  if (wish.descheduler !== undefined) return { text: JSON.stringify(wish.descheduler), shown: 'descheduler' }
  if (wish.configMap !== undefined) return ofConfigMap(wish.configMap, state)
  if (wish.file === undefined) return undefined
  const text = textOf(wish.file)
  const [first] = readDocuments(wish.file, text).objects
  if (first?.object.kind === 'DeschedulerPolicy') return { text, shown: wish.file }
  const kept = first?.object.kind === 'ConfigMap' ? policyOf(first.object) : undefined
  return kept === undefined ? undefined : { text: kept, shown: `${wish.file}: data.${policyKey}` }
}

function ofConfigMap(key: string, state: ClusterState): PolicyText {
  const [namespace = '', name = ''] = key.split('/')
  const found = state.object('ConfigMap', namespace, name)
  const text = found === undefined ? undefined : policyOf(found)
  if (text !== undefined) return { text, shown: `ConfigMap ${key}: data.${policyKey}` }
  throw new InputError([
    {
      code: 'scenario-policy',
      where: `ConfigMap ${key}`,
      found: found === undefined ? 'no such ConfigMap in the cluster' : `no data.${policyKey}`,
      expected: `a ConfigMap with a DeschedulerPolicy under ${policyKey}`,
    },
  ])
}

function policyOf(object: KubeObject): string | undefined {
  const data = object['data']
  const text = isFields(data) ? data[policyKey] : undefined
  return typeof text === 'string' ? text : undefined
}
