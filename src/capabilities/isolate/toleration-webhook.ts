// The webhook that gives pods of core namespaces their toleration while they are created: its configuration, which also keeps what it is
// for, and its answers. Pure.

import * as z from 'zod'
import type { RebalancePolicy } from '#coordination/api.ts'
import { tolerateAtCreation } from '#coordination/effects/tolerate.ts'
import { readPolicy } from '#coordination/plans/plan-policy.ts'
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import type { AdmissionRequest, MutatingAnswer } from '#kube/server/admission.ts'
import { isWanted } from './taint-stage.ts'

export const tolerationWebhookName = 'tolerations.isolate.ballast.dev'
/** Its configuration: there while an isolation with tolerations by webhook is wanted. */
export const isolationConfigurationName = 'ballast-isolation'
/** On the configuration: what it is for, as JSON. */
const isolationsAnnotation = 'ballast.dev/isolations'

const standingIsolations = z.array(
  z.object({
    policy: z.string(),
    taint: z.string(),
    namespaces: z.array(z.string()),
    tried: z.object({ workload: z.string(), mark: z.string(), tries: z.number(), by: z.string() }).exactOptional(),
  }),
)

/** One policy's isolation, as the webhook serves it. */
export type StandingIsolation = Readonly<z.infer<typeof standingIsolations>[number]>

/**
 * The last roll-out for the toleration that is not over well: UID of the workload, what its template was marked with, how often it was
 * tried, and by which process.
 */
export type Tried = NonNullable<StandingIsolation['tried']>

/** What a configuration says that it is for. One that was edited by hand says nothing, and is written anew. */
export function isolationsOf(configuration: KubeObject): readonly StandingIsolation[] {
  const text = configuration.metadata.annotations?.[isolationsAnnotation]
  if (text === undefined) return []
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return []
    throw error
  }
  const parsed = standingIsolations.safeParse(value)
  return parsed.success ? parsed.data : []
}

/**
 * The isolations that want the webhook, in order of their policies' names. In mode Report nothing is done: what stands stays, nothing
 * is added. What a policy that lost its shape wants is not known: it stays too.
 */
export function wantedIsolations(
  policies: readonly RebalancePolicy[],
  standing: readonly StandingIsolation[],
): readonly StandingIsolation[] {
  const sorted = policies.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
  return sorted.flatMap((object): readonly StandingIsolation[] => {
    const { name } = object.metadata
    const known = standing.find(({ policy }) => policy === name)
    const read = readPolicy(object)
    if (!read.ok) return known === undefined ? [] : [known]
    const { isolation, mode } = read.policy.spec
    if (isolation?.tolerations !== 'webhook' || !isWanted(read.policy)) return []
    if (mode === 'Report' && known === undefined) return []
    const tried = known?.tried === undefined ? {} : { tried: known.tried }
    return [{ policy: name, taint: isolation.taint, namespaces: [...new Set(isolation.coreNamespaces)].sort(), ...tried }]
  })
}

/** The configuration for `isolations`. API servers ask only for pods of their namespaces that have no node and lack a toleration. */
export function webhookConfiguration(
  isolations: readonly StandingIsolation[],
  clientConfig: Readonly<Record<string, unknown>>,
  annotations: Readonly<Record<string, string>> = {},
): KubeObject {
  const namespaces = [...new Set(isolations.flatMap(each => each.namespaces))].sort()
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingWebhookConfiguration',
    metadata: {
      name: isolationConfigurationName,
      labels: { 'ballast.dev/managed': 'true', 'ballast.dev/capability': 'isolate' },
      annotations: { ...annotations, [isolationsAnnotation]: JSON.stringify(isolations) },
    },
    webhooks: [
      {
        name: tolerationWebhookName,
        clientConfig,
        rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'], scope: 'Namespaced' }],
        namespaceSelector: { matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'In', values: namespaces }] },
        failurePolicy: 'Ignore',
        sideEffects: 'None',
        timeoutSeconds: 5,
        reinvocationPolicy: 'IfNeeded',
        admissionReviewVersions: ['v1'],
        matchConditions: matchConditionsOf(isolations),
      },
    ],
  }
}

/** CEL: the pod waits for a node, and lacks the toleration of an isolation to whose core its namespace belongs. */
export function matchConditionsOf(
  isolations: readonly StandingIsolation[],
): readonly { readonly name: string; readonly expression: string }[] {
  const lacks = Array.from(byTaint(isolations), ([taint, namespaces]) => {
    const core = namespaces.map(namespace => JSON.stringify(namespace)).join(', ')
    return `(request.namespace in [${core}] && !(has(object.spec.tolerations) && object.spec.tolerations.exists(t, ${covers(taint)})))`
  })
  return [
    { name: 'has-no-node', expression: '!has(object.spec.nodeName) || object.spec.nodeName == ""' },
    { name: 'lacks-toleration', expression: lacks.join(' || ') },
  ]
}

function byTaint(isolations: readonly StandingIsolation[]): ReadonlyMap<string, readonly string[]> {
  const groups = Map.groupBy(isolations, ({ taint }) => taint)
  return new Map(
    Array.from(groups, ([taint, group]) => [taint, [...new Set(group.flatMap(({ namespaces }) => namespaces))].sort()]),
  )
}

/** CEL: toleration `t` covers the taint, as `tolerates` says of one without a value. */
function covers(taint: string): string {
  const key = JSON.stringify(taint)
  const effect = '(!has(t.effect) || t.effect in ["", "NoSchedule"])'
  const exists = `(has(t.operator) && t.operator == "Exists" && (!has(t.key) || t.key in ["", ${key}]))`
  const equal = '(!has(t.operator) || t.operator in ["", "Equal"]) && (!has(t.value) || t.value == "")'
  return `${effect} && (${exists} || (${equal} && (!has(t.key) || t.key in ["", ${key}])))`
}

/** Answers `CREATE` of a pod in a core namespace: it gets the tolerations it lacks. Whatever else comes passes as it is. */
export function answerPodCreation(
  request: Pick<AdmissionRequest, 'operation' | 'object' | 'namespace' | 'subResource'>,
  isolations: readonly StandingIsolation[],
): MutatingAnswer {
  const { object, namespace } = request
  if (request.operation !== 'CREATE' || (request.subResource ?? '') !== '' || !isPod(object)) return { kind: 'allowed' }
  const taints = new Set(isolations.flatMap(each => (each.namespaces.includes(namespace ?? '') ? [each.taint] : [])))
  return tolerateAtCreation(
    object,
    Array.from(taints, key => ({ key, effect: 'NoSchedule' as const })),
  )
}

/** Whether what came is a pod as far as it is looked at; the rest is the API server's to refuse. */
function isPod(object: unknown): object is Pod {
  if (!isRecord(object) || object['kind'] !== 'Pod' || !isRecord(object['spec'])) return false
  const { nodeName, tolerations = [] } = object['spec']
  return (nodeName === undefined || typeof nodeName === 'string') && Array.isArray(tolerations) && tolerations.every(isRecord)
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
