// Admission webhooks: who is asked about a write, and what their answers do to it.

import { evaluateCel } from '#kube/cel/cel.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { badRequest, forbidden, internalError } from '#kube/objects/status.ts'
import { type Draft, draftOf, fieldsAt, isSame, itemsAt, listAt, numberAt, textAt } from '../../json-value.ts'
import { byteOrder } from '../../ordered-objects.ts'
import { kindSchema } from '../../schema/kind-schema.ts'
import { inVersion, toStorage } from '../answers/versions.ts'
import type { ApiServer } from '../api-server.ts'
import { settleFields } from '../decoding/settled-fields.ts'
import { setDefaults } from '../defaults.ts'
import type { ResourceType } from '../resource-type.ts'
import type { WriteOptions } from '../write-options.ts'
import { asStored, subjectOf } from '../write-pipeline.ts'
import { checkPolicies } from './admission-policies.ts'
import type { CallWebhook } from './webhook-call.ts'
import { type MatchedWrite, matchedType } from './webhook-match.ts'
import { checkedResponse, denial, patched, type ReviewedKind, reviewRequest, UndecodablePatch } from './webhook-review.ts'

interface AdmissionInput {
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE'
  /** In the version in which it is stored; of a deletion, what is to go. */
  readonly object: Draft
  readonly existing: KubeObject | undefined
  readonly options: WriteOptions
  /** The type in whose version the client asked; that of storage unless given. */
  readonly requested?: ResourceType
  /** Kind of what is sent to a subresource that has a kind of its own; nothing of it is stored. */
  readonly kind?: ReviewedKind
  /** Query of the request: webhooks are shown its options. */
  readonly query?: URLSearchParams
  /** Texts that webhooks want shown to the client are added here. */
  readonly warnings?: string[]
}

/** A webhook that is to be asked, and in which version. */
interface Chosen {
  readonly webhook: Draft
  readonly kind: 'mutating' | 'validating'
  readonly type: ResourceType
}

const configurations = {
  mutating: 'mutatingwebhookconfigurations.admissionregistration.k8s.io',
  validating: 'validatingwebhookconfigurations.admissionregistration.k8s.io',
} as const

export class Webhooks {
  readonly #server: ApiServer
  readonly #call: CallWebhook

  constructor(server: ApiServer, call: CallWebhook) {
    this.#server = server
    this.#call = call
  }

  /** The object as the mutating webhooks leave it, accepted by the validating ones. @throws StatusError what a webhook refused with. */
  async admit(type: ResourceType, input: AdmissionInput): Promise<Draft> {
    if (type.group === 'admissionregistration.k8s.io') return input.object
    const object = await this.#mutated(type, input)
    const settled = { ...input, object }
    checkPolicies(this.#server, {
      ...writeOf(type, settled),
      request: shown => this.#reviewRequest({ type: shown }, type, settled, ''),
      ...(input.warnings === undefined ? {} : { warnings: input.warnings }),
    })
    const validating = this.#matching('validating', type, settled).filter(chosen => this.#passesConditions(chosen, type, settled))
    await Promise.all(validating.map(chosen => this.#ask(chosen, type, settled)))
    return object
  }

  async #mutated(type: ResourceType, input: AdmissionInput): Promise<Draft> {
    let object = input.object
    /** What webhooks left that want to be asked again when others change it. */
    const left = new Map<Chosen, Draft>()
    const ask = async (chosen: Chosen) => {
      const current = { ...input, object }
      if (!this.#passesConditions(chosen, type, current)) return
      object = (await this.#ask(chosen, type, current)) ?? object
      if (chosen.webhook['reinvocationPolicy'] === 'IfNeeded') left.set(chosen, object)
    }
    for (const chosen of this.#matching('mutating', type, input)) await ask(chosen)
    for (const [chosen, seen] of [...left]) if (!isSame(seen, object)) await ask(chosen)
    return object
  }

  /** Webhooks whose rules and selectors match, by name of configuration, then in their order. */
  #matching(kind: Chosen['kind'], type: ResourceType, input: AdmissionInput): readonly Chosen[] {
    const key = configurations[kind]
    if (!this.#server.store.has(key)) return []
    const write = writeOf(type, input)
    return this.#server.store
      .list(key)
      .toSorted((left, right) => byteOrder(left.metadata.name, right.metadata.name))
      .flatMap(configuration => itemsAt(configuration, 'webhooks'))
      .flatMap(webhook => {
        const matched = matchedType(this.#server, webhook, write)
        return matched === undefined ? [] : [{ webhook, kind, type: matched }]
      })
  }

  /** @throws StatusError 403 where a condition cannot be told and the webhook must not be passed over. */
  #passesConditions(chosen: Chosen, type: ResourceType, input: AdmissionInput): boolean {
    const conditions = itemsAt(chosen.webhook, 'matchConditions')
    if (conditions.length === 0) return true
    const request = this.#reviewRequest(chosen, type, input, '')
    const scope = { object: request['object'] ?? null, oldObject: request['oldObject'] ?? null, request }
    let problem: string | undefined
    for (const condition of conditions) {
      const expression = textAt(condition, 'expression') ?? ''
      const outcome = evaluateCel(expression, scope)
      if (outcome.ok && outcome.value === false) return false
      if (!outcome.ok) problem = `expression '${expression}' resulted in error: ${outcome.problem}`
      else if (outcome.value !== true) problem = `expression '${expression}' resulted in error: must evaluate to bool`
    }
    if (problem === undefined) return true
    if (chosen.webhook['failurePolicy'] === 'Ignore') return false
    const { requested = type, object } = input
    throw forbidden(subjectOf(requested), textAt(object, 'metadata', 'name') ?? '', problem)
  }

  /**
   * The object as the webhook patched it; undefined where it left it alone, or could not be asked and need not be.
   * @throws StatusError the denial, or 500.
   */
  async #ask(chosen: Chosen, type: ResourceType, input: AdmissionInput): Promise<Draft | undefined> {
    const { webhook, kind } = chosen
    const name = textAt(webhook, 'name') ?? ''
    if (input.options.isDryRun === true && webhook['sideEffects'] !== 'None' && webhook['sideEffects'] !== 'NoneOnDryRun') {
      throw badRequest(`admission webhook ${JSON.stringify(name)} does not support dry run`)
    }
    const failed = (problem: string): undefined => {
      if (webhook['failurePolicy'] === 'Ignore') return undefined
      throw internalError(`failed calling webhook ${JSON.stringify(name)}: ${problem}`)
    }
    const uid = this.#server.uids.fresh(
      'review',
      name,
      type.key,
      textAt(input.object, 'metadata', 'namespace'),
      textAt(input.object, 'metadata', 'name'),
    )
    const request = this.#reviewRequest(chosen, type, input, uid)
    const review = { kind: 'AdmissionReview', apiVersion: 'admission.k8s.io/v1', request }
    const timeoutMs = (numberAt(webhook, 'timeoutSeconds') ?? 10) * 1000
    const outcome = await this.#call(fieldsAt(webhook, 'clientConfig') ?? {}, review, timeoutMs)
    if (!outcome.ok) return failed(`failed to call webhook: ${outcome.problem}`)
    const checked = checkedResponse(outcome.value, uid, kind)
    if (!checked.ok) return failed(checked.problem)
    const { response } = checked
    for (const warning of listAt(response, 'warnings')) input.warnings?.push(String(warning))
    if (response['allowed'] !== true) throw denial(name, response)
    const shown = fieldsAt(request, 'object')
    if (shown === undefined || input.kind !== undefined) return undefined
    try {
      const changed = patched(shown, response)
      if (changed === undefined) return undefined
      // Fields that the kind does not have are dropped, as they are from a body.
      const { fault } = settleFields(kindSchema(chosen.type), changed, { isCustom: type.custom !== undefined })
      if (fault !== undefined) throw internalError(fault)
      const stored = toStorage(chosen.type, changed)
      setDefaults(type, stored, this.#server)
      return stored
    } catch (error) {
      if (error instanceof UndecodablePatch) return failed(error.message)
      throw error
    }
  }

  #reviewRequest(chosen: Pick<Chosen, 'type'>, type: ResourceType, input: AdmissionInput, uid: string): Draft {
    const { operation, existing, options, requested = type, query } = input
    const shown = (object: Draft | KubeObject): Draft =>
      chosen.type.version === type.version && chosen.type.group === type.group
        ? { ...object }
        : draftOf(inVersion(chosen.type, asStored(draftOf(object))))
    return reviewRequest({
      uid,
      operation,
      kind: input.kind,
      type: chosen.type,
      requested,
      subresource: options.subresource,
      name: textAt(input.object, 'metadata', 'name') ?? '',
      namespace: type.isNamespaced ? (textAt(input.object, 'metadata', 'namespace') ?? '') : undefined,
      user: options.user,
      object: operation === 'DELETE' ? null : shown(input.object),
      oldObject: existing === undefined ? null : shown(existing),
      isDryRun: options.isDryRun === true,
      query,
    })
  }
}

function writeOf(type: ResourceType, { operation, object, existing, options, requested = type }: AdmissionInput): MatchedWrite {
  return { operation, object, existing, requested, subresource: options.subresource }
}
