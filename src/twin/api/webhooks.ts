// Admission webhooks: who is asked about a write, and what their answers do to it.
import { applyJsonPatch, readJsonPatch } from '#kube/json-patch.ts'
import type { KubeObject } from '#kube/objects.ts'
import { randomUuid } from '#kube/random.ts'
import { labelSelectorOf } from '#kube/selector.ts'
import { badRequest, internalError, StatusError, statusBody } from '#kube/status.ts'
import { type Draft, draftOf, fieldsAt, isFields, itemsAt, listAt, numberAt, textAt, textsAt } from '../json-value.ts'
import { byteOrder } from '../store.ts'
import type { ApiServer } from './api-server.ts'
import { evaluateCel } from './cel.ts'
import { setDefaults } from './defaults.ts'
import { apiVersionOf, type ResourceType } from './resource-type.ts'
import type { CallWebhook } from './webhook-call.ts'
import type { WriteOptions } from './write-pipeline.ts'

interface AdmissionInput {
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE'
  readonly object: Draft
  readonly existing: KubeObject | undefined
  readonly options: WriteOptions
  /** Texts that webhooks want shown to the client are added here. */
  readonly warnings?: string[]
}

const mutatingKey = 'mutatingwebhookconfigurations.admissionregistration.k8s.io'
const validatingKey = 'validatingwebhookconfigurations.admissionregistration.k8s.io'

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
    let object = input.object
    for (const webhook of this.#matching(mutatingKey, type, input)) {
      const current = { ...input, object }
      if (!this.#passesConditions(webhook, type, current)) continue
      const patched = await this.#mutate(webhook, type, current)
      if (patched === undefined) continue
      object = patched
      setDefaults(type, object, this.#server)
    }
    const settled = { ...input, object }
    const validating = this.#matching(validatingKey, type, settled).filter(webhook =>
      this.#passesConditions(webhook, type, settled),
    )
    await Promise.all(validating.map(webhook => this.#ask(webhook, type, settled)))
    return object
  }

  /** Webhooks whose rules and selectors match, by name of configuration, then in their order. */
  #matching(key: string, type: ResourceType, input: AdmissionInput): readonly Draft[] {
    if (!this.#server.store.has(key)) return []
    const configurations = this.#server.store
      .list(key)
      .toSorted((left, right) => byteOrder(left.metadata.name, right.metadata.name))
    return configurations
      .flatMap(configuration => itemsAt(configuration, 'webhooks'))
      .filter(webhook => this.#matches(webhook, type, input))
  }

  #matches(webhook: Draft, type: ResourceType, input: AdmissionInput): boolean {
    const wanted = (rule: Draft, list: string, value: string) => listAt(rule, list).some(item => item === '*' || item === value)
    const isRuled = itemsAt(webhook, 'rules').some(
      rule =>
        wanted(rule, 'operations', input.operation) &&
        wanted(rule, 'apiGroups', type.group) &&
        wanted(rule, 'apiVersions', type.version) &&
        wanted(rule, 'resources', type.plural) &&
        (rule['scope'] === undefined || rule['scope'] === '*' || (rule['scope'] === 'Namespaced') === type.isNamespaced),
    )
    if (!isRuled) return false
    const labels = textsAt(input.object, 'metadata', 'labels')
    const before = input.existing === undefined ? undefined : textsAt(input.existing, 'metadata', 'labels')
    if (!selects(webhook, 'objectSelector', labels) && !(before !== undefined && selects(webhook, 'objectSelector', before)))
      return false
    const namespace =
      type.key === 'namespaces'
        ? input.object
        : this.#server.store.get('namespaces', undefined, textAt(input.object, 'metadata', 'namespace') ?? '')
    return (
      namespace === undefined ||
      !(type.isNamespaced || type.key === 'namespaces') ||
      selects(webhook, 'namespaceSelector', textsAt(namespace, 'metadata', 'labels'))
    )
  }

  /** @throws StatusError 403 where a condition cannot be told and the webhook must not be passed over. */
  #passesConditions(webhook: Draft, type: ResourceType, input: AdmissionInput): boolean {
    const conditions = itemsAt(webhook, 'matchConditions')
    if (conditions.length === 0) return true
    const request = this.#reviewRequest(type, input, '')
    const scope = { object: input.object, oldObject: input.existing ?? null, request }
    let problem: string | undefined
    for (const condition of conditions) {
      const outcome = evaluateCel(textAt(condition, 'expression') ?? '', scope)
      if (outcome.ok && outcome.value === false) return false
      if (!outcome.ok) problem = outcome.problem
      else if (outcome.value !== true) problem = 'must evaluate to bool'
    }
    if (problem === undefined) return true
    if (webhook['failurePolicy'] === 'Ignore') return false
    throw internalError(`failed calling webhook ${JSON.stringify(textAt(webhook, 'name') ?? '')}: ${problem}`)
  }

  /** Undefined where the webhook left the object alone or could not be asked and need not be. */
  async #mutate(webhook: Draft, type: ResourceType, input: AdmissionInput): Promise<Draft | undefined> {
    const response = await this.#ask(webhook, type, input)
    const encoded = textAt(response, 'patch')
    if (response === undefined || encoded === undefined) return undefined
    const parsed: unknown = JSON.parse(Buffer.from(encoded, 'base64').toString())
    const operations = readJsonPatch(parsed)
    const result = operations.ok ? applyJsonPatch(input.object, operations.value) : operations
    if (!result.ok)
      throw internalError(
        `webhook ${JSON.stringify(textAt(webhook, 'name') ?? '')}: its patch does not apply: ${result.problem.expected}`,
      )
    return isFields(result.value) ? draftOf(result.value) : undefined
  }

  /** The webhook's response; undefined where it failed and its failurePolicy is Ignore. @throws StatusError the denial, or 500. */
  async #ask(webhook: Draft, type: ResourceType, input: AdmissionInput): Promise<Draft | undefined> {
    const name = textAt(webhook, 'name') ?? ''
    if (input.options.isDryRun === true && webhook['sideEffects'] !== 'None' && webhook['sideEffects'] !== 'NoneOnDryRun') {
      throw badRequest(`admission webhook ${JSON.stringify(name)} does not support dry run`)
    }
    const uid = randomUuid(this.#server.random)
    const review = { kind: 'AdmissionReview', apiVersion: 'admission.k8s.io/v1', request: this.#reviewRequest(type, input, uid) }
    const timeoutMs = (numberAt(webhook, 'timeoutSeconds') ?? 10) * 1000
    const outcome = await this.#call(fieldsAt(webhook, 'clientConfig') ?? {}, review, timeoutMs)
    if (!outcome.ok) {
      if (webhook['failurePolicy'] === 'Ignore') return undefined
      throw internalError(`failed calling webhook ${JSON.stringify(name)}: ${outcome.problem}`)
    }
    const response = fieldsAt(outcome.value, 'response') ?? {}
    for (const warning of listAt(response, 'warnings')) input.warnings?.push(String(warning))
    if (response['allowed'] !== true) throw denial(name, response)
    return response
  }

  #reviewRequest(type: ResourceType, input: AdmissionInput, uid: string): Draft {
    const kind = { group: type.group, version: type.version, kind: type.kind }
    const resource = { group: type.group, version: type.version, resource: type.plural }
    const { user, isDryRun } = input.options
    return {
      uid,
      kind,
      resource,
      requestKind: kind,
      requestResource: resource,
      name: textAt(input.object, 'metadata', 'name') ?? '',
      ...(type.isNamespaced ? { namespace: textAt(input.object, 'metadata', 'namespace') ?? '' } : {}),
      operation: input.operation,
      userInfo: { username: user.name, groups: user.groups },
      object: { ...input.object, apiVersion: apiVersionOf(type), kind: type.kind },
      oldObject: input.existing ?? null,
      dryRun: isDryRun === true,
      options: { kind: input.operation === 'CREATE' ? 'CreateOptions' : 'UpdateOptions', apiVersion: 'meta.k8s.io/v1' },
    }
  }
}

function selects(webhook: Draft, selector: string, labels: Readonly<Record<string, string>>): boolean {
  const given = fieldsAt(webhook, selector)
  if (given === undefined) return true
  const parsed = labelSelectorOf(given)
  return parsed.ok && parsed.value.matches(labels)
}

function denial(name: string, response: Draft): StatusError {
  const code = numberAt(response, 'status', 'code') ?? 403
  const message = textAt(response, 'status', 'message') ?? textAt(response, 'status', 'reason')
  const text = `admission webhook ${JSON.stringify(name)} denied the request${message === undefined ? ' without explanation' : `: ${message}`}`
  return new StatusError(statusBody(code, text, textAt(response, 'status', 'reason') ?? 'Forbidden'))
}
