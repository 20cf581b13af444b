// The webhooks: a node gets our taint while it is created, so that no pod finds it first; rules that fight over a taint are refused. Pure.
import { taintAtCreation } from '#coordination/effects/taint.ts'
import { type FieldError, forbidden, invalid, required } from '#kube/objects/field-error.ts'
import type { KubeObject, Node } from '#kube/objects/objects.ts'
import { labelSelectorOf } from '#kube/objects/selector.ts'
import type { AdmissionRequest, MutatingAnswer } from '#kube/server/admission.ts'
import { formatTime } from '#kube/time/time.ts'
import { type OwnTaintKey, ownTaintKeys, releasedAnnotation } from '../names.ts'
import { isRule, type NodeReadinessRule, ruleGroup, ruleVersion } from '../rules/node-readiness-rule.ts'
import type { OwnRule } from '../rules/own-rules.ts'
import { overlap } from '../rules/rule-overlap.ts'

export const nodeWebhookName = 'nodes.readiness.ballast.dev'
export const ruleWebhookName = 'rules.readiness.ballast.dev'
/** Both kinds of configuration have this name. */
export const readinessConfigurationName = 'ballast-readiness'
/** How long an API server waits: so long a node is held up where nobody answers. */
const timeoutSeconds = 2

/** Answers `CREATE` of a node: it gets the taint where one of `rules` is for it. Whatever else comes passes as it is. */
export function answerNodeCreation(
  request: Pick<AdmissionRequest, 'operation' | 'object' | 'subResource'>,
  { rules, taintKey, nowMs }: { readonly rules: readonly OwnRule[]; readonly taintKey: OwnTaintKey; readonly nowMs: number },
): MutatingAnswer {
  const { object } = request
  if (request.operation !== 'CREATE' || (request.subResource ?? '') !== '' || !isNode(object)) return { kind: 'allowed' }
  const { labels, annotations } = object.metadata
  const rule = rules.find(({ selector }) => selector.matches(labels))
  if (rule === undefined || annotations?.[releasedAnnotation] !== undefined) return { kind: 'allowed' }
  return taintAtCreation(object, { key: taintKey, effect: 'NoSchedule', value: rule.name, timeAdded: formatTime(nowMs) })
}

function isNode(object: KubeObject | undefined): object is Node {
  if (object?.kind !== 'Node') return false
  const spec = object['spec']
  if (spec === undefined) return true
  if (typeof spec !== 'object' || spec === null) return false
  return !('taints' in spec) || spec.taints === null || spec.taints === undefined || Array.isArray(spec.taints)
}

type RuleAnswer =
  | { readonly kind: 'allowed'; readonly warnings?: readonly string[] }
  | { readonly kind: 'denied'; readonly message: string }

const warnings = {
  continuous:
    'CAUTION: NoExecute with continuous mode evicts pods when conditions fail, risking workload disruption. Consider NoSchedule or bootstrap-only',
  'bootstrap-only':
    'NOTE: NoExecute will evict existing pods without tolerations. Ensure critical system pods have appropriate tolerations',
} as const

/** Answers `CREATE` and `UPDATE` of a NodeReadinessRule, in upstream's words. `known` are the rules that are there. */
export function answerRule(
  request: Pick<AdmissionRequest, 'operation' | 'object' | 'subResource'>,
  known: readonly NodeReadinessRule[],
): RuleAnswer {
  const { object: rule, operation } = request
  if ((operation !== 'CREATE' && operation !== 'UPDATE') || (request.subResource ?? '') !== '') return { kind: 'allowed' }
  // What the schema refuses is refused there.
  if (rule === undefined || !isRule(rule)) return { kind: 'allowed' }
  // A rule that is being deleted must be able to lose its finalizer.
  if (rule.metadata.deletionTimestamp !== undefined && rule.metadata.deletionTimestamp !== null) return { kind: 'allowed' }
  const errors = [...specErrors(rule, operation === 'UPDATE'), ...conflicts(rule, known)]
  if (errors.length > 0)
    return { kind: 'denied', message: `validation failed: [${errors.map(({ field, body }) => `${field}: ${body}`).join(', ')}]` }
  const isNoted = operation === 'CREATE' && rule.spec.taint.effect === 'NoExecute'
  return { kind: 'allowed', ...(isNoted ? { warnings: [warnings[rule.spec.enforcementMode]] } : {}) }
}

function specErrors({ spec }: NodeReadinessRule, isUpdate: boolean): readonly FieldError[] {
  const errors: FieldError[] = []
  const selector = labelSelectorOf(spec.nodeSelector)
  if (!selector.ok)
    errors.push(invalid('spec.nodeSelector', spec.nodeSelector, selector.problem.message ?? selector.problem.expected))
  else if (selector.value.requirements.length === 0) errors.push(required('spec.nodeSelector', 'nodeSelector must not be empty'))
  if (isUpdate || spec.enforcementMode !== 'bootstrap-only') return errors
  for (const [at, { defaultStatus }] of spec.conditions.entries())
    if (defaultStatus !== undefined)
      errors.push(
        forbidden(`spec.conditions[${at}].defaultStatus`, 'defaultStatus should not be used with bootstrap-only enforcementMode'),
      )
  if (spec.conditionPolicy === 'anyOf')
    errors.push(forbidden('spec.conditionPolicy', 'conditionPolicy anyOf cannot be used with bootstrap-only enforcementMode'))
  return errors
}

function conflicts({ metadata, spec }: NodeReadinessRule, known: readonly NodeReadinessRule[]): readonly FieldError[] {
  const { key, effect } = spec.taint
  const own = labelSelectorOf(spec.nodeSelector)
  return known.flatMap(other => {
    const isSame = other.metadata.name !== metadata.name && other.spec.taint.key === key && other.spec.taint.effect === effect
    const selector = labelSelectorOf(other.spec.nodeSelector)
    // What cannot be read is taken to overlap.
    if (!isSame || (own.ok && selector.ok && !overlap(own.value, selector.value))) return []
    const detail = `conflicts with existing rule '${other.metadata.name}' - same taint key '${key}' and effect '${effect}' with overlapping node selectors`
    return [invalid('spec.taint.key', key, detail)]
  })
}

const labels = { 'ballast.dev/managed': 'true', 'ballast.dev/capability': 'readiness' }
const common = { failurePolicy: 'Ignore', sideEffects: 'None', timeoutSeconds, admissionReviewVersions: ['v1'] } as const

/** API servers ask for nodes that do not carry the taint yet. */
export function nodeWebhookConfiguration(
  clientConfig: Readonly<Record<string, unknown>>,
  annotations: Readonly<Record<string, string>> = {},
): KubeObject {
  const keys = ownTaintKeys.map(key => JSON.stringify(key)).join(', ')
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingWebhookConfiguration',
    metadata: { name: readinessConfigurationName, labels, annotations: { ...annotations } },
    webhooks: [
      {
        ...common,
        name: nodeWebhookName,
        clientConfig,
        rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['nodes'], scope: 'Cluster' }],
        matchConditions: [
          {
            name: 'lacks-taint',
            expression: `!(has(object.spec.taints) && object.spec.taints.exists(t, t.key in [${keys}]))`,
          },
        ],
      },
    ],
  }
}

export function ruleWebhookConfiguration(
  clientConfig: Readonly<Record<string, unknown>>,
  annotations: Readonly<Record<string, string>> = {},
): KubeObject {
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingWebhookConfiguration',
    metadata: { name: readinessConfigurationName, labels, annotations: { ...annotations } },
    webhooks: [
      {
        ...common,
        name: ruleWebhookName,
        clientConfig,
        rules: [
          {
            apiGroups: [ruleGroup],
            apiVersions: [ruleVersion],
            operations: ['CREATE', 'UPDATE'],
            resources: ['nodereadinessrules'],
            scope: 'Cluster',
          },
        ],
      },
    ],
  }
}
