// POST …/pods/P/eviction: a pod is deleted if its disruption budget allows it.
import { evictionAnswer } from '#cluster/disruption-budget.ts'
import type { KubeObject, Pod, PodDisruptionBudget } from '#kube/objects/objects.ts'
import { badRequest, notFound, StatusError, statusBody, tooManyRequests } from '#kube/objects/status.ts'
import { type Draft, draftOf, fieldsAt, integerAt, itemsAt, listAt, numberAt, setAt, textAt } from '../../json-value.ts'
import { serverManager, serverUser } from '../../server-objects.ts'
import { statusAnswer } from '../answers/answer.ts'
import { timestamp } from '../api-server.ts'
import { sentObject } from '../decoding/request-body.ts'
import type { DeletionChoice } from '../deletion.ts'
import type { WriteParts, WriteRequest } from '../object-writes.ts'
import type { TwinResponse } from '../request.ts'
import { checkWriteOptions, fieldManager, isDryRun } from '../write-options.ts'
import { asStored } from '../write-pipeline.ts'

/** Evicts the pod of the path. @throws StatusError 429 with the budget's cause where it does not allow it. */
export async function answerEviction(
  { server, writes, deletion, webhooks }: WriteParts,
  { info, request, type, user }: WriteRequest,
): Promise<TwinResponse> {
  checkWriteOptions(request)
  const body = sentObject(request, { kind: 'Eviction', group: 'policy', version: 'v1', definition: 'V1Eviction' })
  const name = info.name ?? ''
  const named = textAt(body, 'metadata', 'name') ?? ''
  if (named !== name) throw badRequest('name in URL does not match name in Eviction object')
  const isDryRequest = isDryRun(request.query) || listAt(body, 'deleteOptions', 'dryRun').includes('All')
  setAt(body, ['metadata', 'namespace'], info.namespace)
  // Webhooks for deletions are not asked about the pod that goes by an eviction.
  await webhooks.admit(type, {
    operation: 'CREATE',
    object: body,
    existing: undefined,
    options: { user, manager: fieldManager(request), subresource: 'eviction', isDryRun: isDryRequest },
    kind: { group: 'policy', version: 'v1', kind: 'Eviction' },
    query: request.query,
  })
  const found = server.store.get('pods', info.namespace, name)
  if (found === undefined) throw notFound({ group: '', resource: 'pods' }, name)
  const choice = choiceOf(body, isDryRun(request.query))
  // Preconditions are looked at first: a budget is not charged for a pod that is not meant.
  deletion.check(type, found, choice)
  const budgets = server.store.list('poddisruptionbudgets.policy', info.namespace)
  const answer = evictionAnswer(asPod(found), budgets.map(asBudget))
  if (answer.kind === 'refused') throw refusalOf(answer)
  const isDry = choice.isDryRun === true
  if (answer.isCounted && answer.budget !== undefined && !isDry) {
    const budget = budgets.find(candidate => `${candidate.metadata.namespace ?? ''}/${candidate.metadata.name}` === answer.budget)
    const budgetType = server.resources.ofKey('poddisruptionbudgets.policy')
    if (budget !== undefined && budgetType !== undefined) {
      const draft = charged(budget, name, timestamp(server.clock.now()))
      writes.update(budgetType, draft, {
        user: serverUser,
        manager: serverManager,
        subresource: 'status',
        requested: budgetType,
      })
    }
  }
  const isLeaving = found.metadata.deletionTimestamp !== undefined
  if (!isDry && !isLeaving) server.store.put('pods', withDisruption(found, timestamp(server.clock.now())))
  const { preconditions, ...rest } = choice
  deletion.remove(
    type,
    info.namespace,
    name,
    preconditions?.uid === undefined ? rest : { ...rest, preconditions: { uid: preconditions.uid } },
  )
  return statusAnswer(request, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 }, 201)
}

function choiceOf(body: Draft, isDry: boolean): DeletionChoice {
  const options = fieldsAt(body, 'deleteOptions') ?? {}
  const seconds = integerAt(options, 'gracePeriodSeconds')
  const policy = textAt(options, 'propagationPolicy')
  const uid = textAt(options, 'preconditions', 'uid')
  const resourceVersion = textAt(options, 'preconditions', 'resourceVersion')
  const hasPreconditions = uid !== undefined || resourceVersion !== undefined
  return {
    // What is below zero is a second.
    ...(seconds === undefined ? {} : { gracePeriodSeconds: seconds < 0 ? 1 : seconds }),
    ...(policy === 'Background' || policy === 'Foreground' || policy === 'Orphan' ? { propagationPolicy: policy } : {}),
    ...(hasPreconditions
      ? {
          preconditions: { ...(uid === undefined ? {} : { uid }), ...(resourceVersion === undefined ? {} : { resourceVersion }) },
        }
      : {}),
    isDryRun: isDry || listAt(options, 'dryRun').includes('All'),
  }
}

function refusalOf(answer: {
  readonly code: number
  readonly message: string
  readonly cause?: string
  readonly retryAfterSeconds?: number
}): StatusError {
  if (answer.code === 429) {
    const causes = answer.cause === undefined ? [] : [{ reason: 'DisruptionBudget', message: answer.cause }]
    return tooManyRequests(answer.message, answer.retryAfterSeconds ?? 0, causes)
  }
  return new StatusError(statusBody(answer.code, answer.message, answer.code === 403 ? 'Forbidden' : 'InternalError'))
}

/** The budget with one disruption less and the pod on record; one that allows none any more says so. */
function charged(budget: KubeObject, pod: string, now: string): Draft {
  const draft = draftOf(budget)
  const left = (numberAt(draft, 'status', 'disruptionsAllowed') ?? 1) - 1
  setAt(draft, ['status', 'disruptionsAllowed'], left)
  setAt(draft, ['status', 'disruptedPods'], { ...fieldsAt(draft, 'status', 'disruptedPods'), [pod]: now })
  if (left > 0) return draft
  const conditions = itemsAt(draft, 'status', 'conditions')
  const before = conditions.find(condition => condition['type'] === 'DisruptionAllowed')
  const observedGeneration = numberAt(draft, 'status', 'observedGeneration')
  const condition = {
    type: 'DisruptionAllowed',
    status: 'False',
    ...(observedGeneration === undefined ? {} : { observedGeneration }),
    lastTransitionTime: before?.['status'] === 'False' ? before['lastTransitionTime'] : now,
    reason: 'InsufficientPods',
    message: '',
  }
  const others = conditions.filter(one => one !== before)
  setAt(draft, ['status', 'conditions'], [...others, condition])
  return draft
}

function withDisruption(pod: KubeObject, now: string): KubeObject {
  const draft = draftOf(pod)
  const others = itemsAt(draft, 'status', 'conditions').filter(condition => condition['type'] !== 'DisruptionTarget')
  const condition = {
    type: 'DisruptionTarget',
    status: 'True',
    lastProbeTime: null,
    lastTransitionTime: now,
    reason: 'EvictionByEvictionAPI',
    message: 'Eviction API: evicting',
  }
  setAt(draft, ['status', 'conditions'], [...others, condition])
  return asStored(draft)
}

function asPod(object: KubeObject): Pod {
  return { ...object, spec: { containers: [], ...fieldsAt(object, 'spec') } }
}

function asBudget(object: KubeObject): PodDisruptionBudget {
  return { ...object, spec: { ...fieldsAt(object, 'spec') } }
}
