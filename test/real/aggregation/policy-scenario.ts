// What is asked of an API server about ValidatingAdmissionPolicies and what they are bound to, the same of the real one and of the twin.
import { setTimeout as pause } from 'node:timers/promises'
import type { Ask, Recorded, Site } from './scenario.ts'
import { type Fields, steady, want } from './webhook-scenario.ts'

const group = '/apis/admissionregistration.k8s.io/v1'
const maps = '/api/v1/namespaces/default/configmaps'

interface Case {
  /** Beside `matchConstraints` and one validation that always fails. */
  readonly policy?: Fields
  /** Beside the policy's name and Deny; each its own. Default: one. */
  readonly bindings?: readonly Fields[]
  readonly asks?: readonly Ask[]
}

const validations = (...given: readonly Fields[]) => ({ validations: given })
const failing = { expression: 'object.data.own == "2"' }
const failingWith = (more: Fields) => validations({ ...failing, ...more })
const byName = { paramKind: { apiVersion: 'v1', kind: 'ConfigMap' } }
const limited = validations({
  expression: 'object.data.own == params.data.limit',
  messageExpression: '"own must be " + params.data.limit',
})
const paramRef = (ref: Fields) => [{ paramRef: { parameterNotFoundAction: 'Deny', ...ref } }]
const onMaps = (...operations: readonly string[]) => [
  { apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'], operations },
]

const cases: Readonly<Record<string, Case>> = {
  'without-message': {},
  'long-expression': { policy: validations({ expression: 'object.data.own == "2" &&\n  has(object.data.other)' }) },
  message: { policy: failingWith({ message: 'own must be 2' }) },
  'message-expression': { policy: failingWith({ message: 'not this', messageExpression: '"own is " + object.data.own' }) },
  'message-expression-fails': { policy: failingWith({ message: 'this', messageExpression: '"it is " + object.data.nowhere' }) },
  'message-expression-fails-alone': { policy: failingWith({ messageExpression: '"it is " + object.data.nowhere' }) },
  'message-expression-empty': { policy: failingWith({ message: 'this', messageExpression: '""' }) },
  'message-expression-lines': { policy: failingWith({ message: 'this', messageExpression: '"two\\nlines"' }) },
  'reason-forbidden': { policy: failingWith({ reason: 'Forbidden', message: 'no' }) },
  'reason-too-large': { policy: failingWith({ reason: 'RequestEntityTooLarge' }) },
  'several-fail': { policy: validations(failing, { expression: 'false', message: 'second', reason: 'Forbidden' }) },
  'second-fails': { policy: validations({ expression: 'true' }, { expression: 'false', message: 'second' }) },
  holds: { policy: validations({ expression: 'object.data.own == "1"' }) },
  'error-fails': { policy: validations({ expression: 'object.data.nowhere == "1"' }) },
  'error-ignored': { policy: { failurePolicy: 'Ignore', ...validations({ expression: 'object.data.nowhere == "1"' }) } },
  'false-though-errors-are-ignored': { policy: { failurePolicy: 'Ignore' } },
  'error-and-false': { policy: validations({ expression: 'object.data.nowhere == "1"' }, failing) },
  variables: {
    policy: {
      variables: [
        { name: 'own', expression: 'object.data.own' },
        { name: 'sentence', expression: '"it is " + variables.own' },
      ],
      ...validations({ expression: 'variables.own == "2"', messageExpression: 'variables.sentence' }),
    },
  },
  'variable-fails': {
    policy: {
      variables: [{ name: 'own', expression: 'object.data.nowhere' }],
      ...validations({ expression: 'variables.own == "2"' }),
    },
  },
  'variable-fails-unused': {
    policy: { variables: [{ name: 'own', expression: 'object.data.nowhere' }], ...validations({ expression: 'true' }) },
  },
  'condition-false': { policy: { matchConditions: [{ name: 'never', expression: 'request.userInfo.username == "nobody"' }] } },
  'condition-true': { policy: { matchConditions: [{ name: 'always', expression: 'object.metadata.name == "condition-true"' }] } },
  'condition-fails': { policy: { matchConditions: [{ name: 'broken', expression: 'object.data.nowhere == "1"' }] } },
  'condition-fails-ignored': {
    policy: { failurePolicy: 'Ignore', matchConditions: [{ name: 'broken', expression: 'object.data.nowhere == "1"' }] },
  },
  'request-and-namespace': {
    policy: validations({
      expression: 'request.operation == "UPDATE"',
      messageExpression:
        'request.operation + " " + request.resource.resource + " by " + request.userInfo.username + " in " + namespaceObject.metadata.name',
    }),
  },
  'no-old-object': { policy: validations({ expression: 'oldObject != null' }) },
  unbound: { bindings: [] },
  warned: { bindings: [{ validationActions: ['Warn'] }] },
  'warned-of-an-error': {
    policy: validations({ expression: 'object.data.nowhere == "1"' }),
    bindings: [{ validationActions: ['Warn'] }],
  },
  audited: { bindings: [{ validationActions: ['Audit'] }] },
  'warned-and-audited': {
    policy: failingWith({ message: 'own must be 2' }),
    bindings: [{ validationActions: ['Warn', 'Audit'] }],
  },
  'denied-and-audited': { bindings: [{ validationActions: ['Deny', 'Audit'] }] },
  'two-bindings': { bindings: [{ validationActions: ['Warn'] }, { validationActions: ['Deny'] }] },
  'two-denials': { bindings: [{}, {}] },
  'binding-elsewhere': {
    bindings: [{ matchResources: { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } } } }],
  },
  'binding-here': {
    bindings: [{ matchResources: { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'default' } } } }],
  },
  'binding-other-kind': {
    bindings: [
      {
        matchResources: { resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], resources: ['secrets'], operations: ['*'] }] },
      },
    ],
  },
  'binding-excludes': { bindings: [{ matchResources: { excludeResourceRules: onMaps('*') } }] },
  'params-by-name': { policy: { ...byName, ...limited }, bindings: paramRef({ name: 'limit-a', namespace: 'default' }) },
  'params-that-hold': { policy: { ...byName, ...limited }, bindings: paramRef({ name: 'limit-one', namespace: 'default' }) },
  'params-of-the-namespace': { policy: { ...byName, ...limited }, bindings: paramRef({ name: 'limit-a' }) },
  'params-missing-denied': { policy: { ...byName, ...limited }, bindings: paramRef({ name: 'nobody', namespace: 'default' }) },
  'params-missing-allowed': {
    policy: { ...byName, ...limited },
    bindings: paramRef({ name: 'nobody', namespace: 'default', parameterNotFoundAction: 'Allow' }),
  },
  'params-missing-ignored': {
    policy: { ...byName, ...limited, failurePolicy: 'Ignore' },
    bindings: paramRef({ name: 'nobody', namespace: 'default' }),
  },
  // Two come in no order, so the same is said under both.
  'params-by-label': {
    policy: { ...byName, ...validations({ expression: 'object.data.own == params.data.limit', message: 'no limit' }) },
    bindings: paramRef({ namespace: 'default', selector: { matchLabels: { limits: 'yes' } } }),
  },
  'params-by-label-none': {
    policy: { ...byName, ...limited },
    bindings: paramRef({ namespace: 'default', selector: { matchLabels: { limits: 'no' } } }),
  },
  'params-not-bound': { policy: { ...byName, ...limited }, bindings: [{}] },
  'params-of-an-unknown-kind': {
    policy: { paramKind: { apiVersion: 'nowhere.example.io/v1', kind: 'Limit' }, ...limited },
    bindings: paramRef({ name: 'limit-a', namespace: 'default' }),
  },
  updates: {
    policy: {
      matchConstraints: { resourceRules: onMaps('UPDATE', 'DELETE') },
      ...validations({
        expression: 'request.operation != "DELETE" && oldObject.data.own == object.data.own',
        messageExpression: 'request.operation + (object == null ? " of all" : " to " + object.data.own)',
      }),
    },
    asks: [
      { method: 'POST', path: maps, body: configMap('updates') },
      { method: 'PATCH', path: `${maps}/updates`, body: { data: { own: '3' } } },
      { method: 'PATCH', path: `${maps}/updates`, body: { data: { other: '3' } } },
      { method: 'DELETE', path: `${maps}/updates` },
    ],
  },
  named: {
    policy: { matchConstraints: { resourceRules: onMaps('*').map(rule => ({ ...rule, resourceNames: ['named-b'] })) } },
    asks: ['named', 'named-b'].map(name => ({ method: 'POST', path: maps, body: configMap(name, 'named') }) as const),
  },
  'dry-run': { asks: [{ method: 'POST', path: `${maps}?dryRun=All`, body: configMap('dry-run') }] },
}

/** Policies and bindings that are refused themselves. */
const refused: Readonly<Record<string, Fields>> = {
  'no validations': { validations: [] },
  'not CEL': validations({ expression: 'object.' }),
  'another type': validations({ expression: '1 + 1' }),
  'an unknown name': validations({ expression: 'nobody == 1' }),
  'a message with lines': failingWith({ message: 'a\nb' }),
  'an unknown reason': failingWith({ reason: 'Teapot' }),
  'a message that is no text': failingWith({ messageExpression: '1' }),
  'half a kind': { paramKind: { apiVersion: 'v1', kind: '' }, ...failingWith({}) },
  'a bad variable': { variables: [{ name: '1', expression: 'true' }], ...failingWith({}) },
}
const refusedBindings: Readonly<Record<string, Fields>> = {
  'no policy': { policyName: '', validationActions: ['Deny'] },
  'no actions': { policyName: 'x' },
  'an unknown action': { policyName: 'x', validationActions: ['Shout'] },
  'denied and warned': { policyName: 'x', validationActions: ['Deny', 'Warn'] },
  'an action twice': { policyName: 'x', validationActions: ['Deny', 'Deny'] },
  'params by nothing': { policyName: 'x', validationActions: ['Deny'], paramRef: { parameterNotFoundAction: 'Deny' } },
  'params without an action': { policyName: 'x', validationActions: ['Deny'], paramRef: { name: 'a' } },
}

function configMap(name: string, label = name): object {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, labels: { policy: label } }, data: { own: '1' } }
}

const policyObject = (name: string, spec: Fields) => ({
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'ValidatingAdmissionPolicy',
  metadata: { name },
  spec,
})

const bindingObject = (name: string, spec: Fields) => ({
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'ValidatingAdmissionPolicyBinding',
  metadata: { name },
  spec,
})

/** Runs all cases and yields what was answered, with the warnings that came along. */
export async function recordPolicies(site: Site, lagMs: number): Promise<readonly Recorded[]> {
  const records: Recorded[] = []
  const record = async (name: string, ask: Ask) => {
    const answer = await site.ask(ask)
    const shown = { method: ask.method, path: ask.path }
    // Bindings are asked in no order.
    const { body, ...rest } = steady({ ...answer, text: answer.text.replaceAll(/two-denials-[01]/g, 'two-denials-N') }, 0)
    records.push({ name, ask: shown, ...rest, body: { warnings: answer.warnings ?? [], body } })
  }
  const limit = (name: string, text: string, labels: Fields = {}) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, labels },
    data: { limit: text },
  })
  // These webhooks were recorded on the same server.
  await want(site, { method: 'DELETE', path: `${maps}?labelSelector=case` })
  for (const object of [
    limit('limit-a', 'a', { limits: 'yes' }),
    limit('limit-b', 'b', { limits: 'yes' }),
    limit('limit-one', '1'),
  ])
    await want(site, { method: 'POST', path: maps, body: object })
  for (const [name, { policy = {}, bindings = [{}] }] of Object.entries(cases)) {
    const given: Fields = Object(policy['matchConstraints'])
    const matchConstraints = { resourceRules: onMaps('CREATE'), objectSelector: { matchLabels: { policy: name } }, ...given }
    const spec = { ...failingWith({}), ...policy, matchConstraints }
    await want(site, { method: 'POST', path: `${group}/validatingadmissionpolicies`, body: policyObject(name, spec) })
    for (const [at, binding] of bindings.entries()) {
      const body = bindingObject(`${name}-${at}`, { policyName: name, validationActions: ['Deny'], ...binding })
      await want(site, { method: 'POST', path: `${group}/validatingadmissionpolicybindings`, body })
    }
  }
  await record('a policy as it is stored', { method: 'GET', path: `${group}/validatingadmissionpolicies/message` })
  await record('a binding as it is stored', { method: 'GET', path: `${group}/validatingadmissionpolicybindings/binding-here-0` })
  // A real server hears of its policies a moment later.
  await pause(lagMs)
  for (const [name, { asks }] of Object.entries(cases))
    for (const ask of asks ?? [{ method: 'POST', path: maps, body: configMap(name) } as const]) await record(name, ask)
  for (const [name, spec] of Object.entries(refused)) {
    const body = policyObject('bad', { matchConstraints: { resourceRules: onMaps('CREATE') }, ...spec })
    await record(`refused: ${name}`, { method: 'POST', path: `${group}/validatingadmissionpolicies?dryRun=All`, body })
  }
  for (const [name, spec] of Object.entries(refusedBindings))
    await record(`refused binding: ${name}`, {
      method: 'POST',
      path: `${group}/validatingadmissionpolicybindings?dryRun=All`,
      body: bindingObject('bad', spec),
    })
  for (const name of Object.keys(cases))
    await want(site, { method: 'DELETE', path: `${group}/validatingadmissionpolicies/${name}` })
  return records
}
