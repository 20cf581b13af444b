// Rights that are given: by who has them, by who may give more than that, and by who may not.
import type { BadInputCase } from './case.ts'
import { type Body, groupIn, sent } from './requests.ts'
import type { WireRequest } from './wire.ts'

const namespace = 'rights'
const apis = '/apis/rbac.authorization.k8s.io/v1'
const roles = `${apis}/namespaces/${namespace}/roles`
const bindings = `${apis}/namespaces/${namespace}/rolebindings`

const role = (name: string, rules: readonly Body[], more: Body = {}): Body => ({
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'Role',
  metadata: { name },
  rules,
  ...more,
})
const clusterRole = (name: string, rules: readonly Body[], more: Body = {}): Body => ({
  ...role(name, rules, more),
  kind: 'ClusterRole',
})
const rule = (verbs: readonly string[], resources: readonly string[], apiGroups: readonly string[] = [''], more: Body = {}) => ({
  verbs,
  apiGroups,
  resources,
  ...more,
})
const binding = (name: string, kind: string, to: string, subjects: readonly Body[] = [user('carl')]): Body => ({
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'RoleBinding',
  metadata: { name },
  roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind, name: to },
  subjects,
})
const clusterBinding = (name: string, to: string, subjects?: readonly Body[]): Body => ({
  ...binding(name, 'ClusterRole', to, subjects),
  kind: 'ClusterRoleBinding',
})
const user = (name: string): Body => ({ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name })

const as = (name: string, request: WireRequest, group?: string): WireRequest => ({
  ...request,
  headers: { ...request.headers, 'impersonate-user': name, ...(group === undefined ? {} : { 'impersonate-group': group }) },
})
const made = (path: string, body: Body) => sent('POST', path, body)

const held = rule(['get', 'watch'], ['pods'])
const writes = rule(
  ['create', 'get', 'list', 'update', 'patch'],
  ['roles', 'rolebindings', 'clusterroles', 'clusterrolebindings'],
  ['rbac.authorization.k8s.io'],
)

/** Roles of ann, who has some rights, in the order they are made: each name once. */
const ofAnn: Readonly<Record<string, readonly Body[]>> = {
  'what she has': [rule(['get'], ['pods'])],
  'another verb': [rule(['list'], ['pods'])],
  'another resource': [rule(['get'], ['secrets'])],
  'several verbs and resources': [rule(['get', 'list', 'delete'], ['secrets', 'pods'])],
  'several groups': [rule(['get'], ['deployments'], ['apps', 'extensions'])],
  'every verb': [rule(['*'], ['pods'])],
  'every resource': [rule(['get'], ['*'])],
  'every group': [rule(['get'], ['pods'], ['*'])],
  'a subresource': [rule(['get'], ['pods/log'])],
  'a subresource of all that she has': [rule(['update'], ['deployments/scale'], ['apps'])],
  'a name of what she has whole': [rule(['get'], ['pods'], [''], { resourceNames: ['a'] })],
  'a name that she has': [rule(['get'], ['configmaps'], [''], { resourceNames: ['mine'] })],
  'all of what she has one name of': [rule(['get'], ['configmaps'])],
  'a name that she has not': [rule(['get'], ['configmaps'], [''], { resourceNames: ['mine', 'yours'] })],
  'two rules of one resource': [rule(['list'], ['pods']), rule(['delete'], ['pods'])],
  'no rules': [],
}

const cases: readonly BadInputCase[] = [
  ...Object.entries(ofAnn).map(([name, rules], index) => ({
    name: `ann makes a role of ${name}`,
    request: as('ann', made(roles, role(`r${index}`, rules))),
  })),
  {
    name: 'ann makes a cluster role of a path',
    request: as(
      'ann',
      made(`${apis}/clusterroles`, clusterRole('path', [{ verbs: ['get'], nonResourceURLs: ['/metrics', '/healthz/*'] }])),
    ),
  },
  {
    name: 'ann makes a cluster role of a path that all have',
    request: as('ann', made(`${apis}/clusterroles`, clusterRole('healthz', [{ verbs: ['get'], nonResourceURLs: ['/healthz'] }]))),
  },
  {
    name: 'ann makes a cluster role of what she has in one namespace',
    request: as('ann', made(`${apis}/clusterroles`, clusterRole('nodes', [rule(['get'], ['services'])]))),
  },
  {
    name: 'ann makes a role of what she has in its namespace',
    request: as('ann', made(roles, role('services', [rule(['get'], ['services'])]))),
  },
  {
    name: 'ann makes an aggregated role',
    request: as(
      'ann',
      made(
        `${apis}/clusterroles`,
        clusterRole('sum', [], { aggregationRule: { clusterRoleSelectors: [{ matchLabels: { sum: 'yes' } }] } }),
      ),
    ),
  },
  {
    name: 'ann makes a role of a rule without groups',
    request: as('ann', made(roles, role('odd', [{ verbs: ['list'], resources: ['pods'] }]))),
  },
  {
    name: 'ann makes a role by dry run',
    request: as('ann', made(`${roles}?dryRun=All`, role('dry', [rule(['list'], ['pods'])]))),
  },
  {
    name: 'ann adds a verb to a role',
    request: as('ann', sent('PUT', `${roles}/r0`, role('r0', [rule(['get', 'list'], ['pods'])]))),
  },
  {
    name: 'ann labels a role of more than she has',
    request: as('ann', sent('PATCH', `${roles}/more`, { metadata: { labels: { a: 'b' } } }, 'application/merge-patch+json')),
  },
  {
    name: 'ann adds a finalizer to a role of more than she has',
    request: as(
      'ann',
      sent(
        'PATCH',
        `${roles}/more?dryRun=All`,
        { metadata: { finalizers: ['example.com/hold'] } },
        'application/merge-patch+json',
      ),
    ),
  },
  {
    name: 'ann takes the rules of a role of more than she has',
    request: as('ann', sent('PATCH', `${roles}/more?dryRun=All`, { rules: [] }, 'application/merge-patch+json')),
  },
  {
    name: 'ann applies a role of more than she has',
    request: as(
      'ann',
      sent(
        'PATCH',
        `${roles}/applied?fieldManager=ann`,
        role('applied', [rule(['list'], ['pods'])]),
        'application/apply-patch+yaml',
      ),
    ),
  },
  { name: 'ann makes a role by PUT', request: as('ann', sent('PUT', `${roles}/put`, role('put', [rule(['list'], ['pods'])]))) },
  {
    name: 'ann of the masters makes a role of everything',
    request: as('ann', made(roles, role('masters', [rule(['*'], ['*'], ['*'])])), 'system:masters'),
  },
  {
    name: 'bob, who may escalate, makes a role of everything',
    request: as('bob', made(roles, role('escalated', [rule(['*'], ['*'], ['*'])]))),
  },
  {
    name: 'bob, who may escalate roles, makes a cluster role',
    request: as('bob', made(`${apis}/clusterroles`, clusterRole('escalated', [rule(['list'], ['pods'])]))),
  },
  { name: 'ann binds a role of what she has', request: as('ann', made(bindings, binding('b0', 'Role', 'r0'))) },
  { name: 'ann binds a role of more', request: as('ann', made(bindings, binding('b1', 'Role', 'more'))) },
  {
    name: 'ann binds a cluster role of more',
    request: as('ann', made(bindings, binding('b2', 'ClusterRole', 'proxier'))),
  },
  { name: 'ann binds a role that is not there', request: as('ann', made(bindings, binding('b3', 'Role', 'nowhere'))) },
  {
    name: 'ann binds a cluster role that is not there',
    request: as('ann', made(bindings, binding('b4', 'ClusterRole', 'nowhere'))),
  },
  {
    name: 'ann binds a cluster role everywhere',
    request: as('ann', made(`${apis}/clusterrolebindings`, clusterBinding('b5', 'proxier'))),
  },
  {
    name: 'ann labels a binding of more',
    request: as(
      'ann',
      sent('PATCH', `${bindings}/held?dryRun=All`, { metadata: { labels: { a: 'b' } } }, 'application/merge-patch+json'),
    ),
  },
  { name: 'bob, who may bind one role, binds it', request: as('bob', made(bindings, binding('b6', 'Role', 'more'))) },
  { name: 'bob, who may bind one role, binds another', request: as('bob', made(bindings, binding('b7', 'Role', 'r0'))) },
  { name: 'a binding to a role that is not there by who may do all', request: made(bindings, binding('b8', 'Role', 'nowhere')) },
  {
    name: 'a binding to an account without namespace',
    request: made(bindings, binding('b9', 'Role', 'r0', [{ kind: 'ServiceAccount', name: 'default' }])),
  },
  {
    name: 'a binding everywhere to an account without namespace',
    request: made(`${apis}/clusterrolebindings`, clusterBinding('b10', 'view', [{ kind: 'ServiceAccount', name: 'default' }])),
  },
  {
    name: 'the account of a binding without namespace uses it',
    request: as(`system:serviceaccount:${namespace}:default`, { verb: 'GET', path: `/api/v1/namespaces/${namespace}/pods/none` }),
  },
  {
    name: 'a binding of an account by a group of its own',
    request: made(
      bindings,
      binding('b11', 'Role', 'r0', [
        { apiGroup: 'rbac.authorization.k8s.io', kind: 'ServiceAccount', name: 'default', namespace },
      ]),
    ),
  },
  {
    name: 'a binding of a user by the core group',
    request: made(bindings, binding('b12', 'Role', 'r0', [{ apiGroup: 'core', kind: 'User', name: 'a' }])),
  },
  {
    name: 'a binding of an account with a name of nonsense',
    request: made(bindings, binding('b13', 'Role', 'r0', [{ kind: 'ServiceAccount', name: 'A_B', namespace }])),
  },
  {
    name: 'a binding of a role of another group',
    request: made(bindings, { ...binding('b14', 'Role', 'r0'), roleRef: { apiGroup: 'apps', kind: 'Role', name: 'r0' } }),
  },
  { name: 'a binding of nobody', request: made(bindings, binding('b15', 'Role', 'r0', [])) },
  {
    name: 'a binding of a robot',
    request: made(bindings, binding('b16', 'Robot', 'r0', [{ kind: 'Robot', name: '' }])),
  },
  {
    name: 'another role for a binding',
    request: sent('PATCH', `${bindings}/b0?dryRun=All`, { roleRef: { name: 'more' } }, 'application/merge-patch+json'),
  },
]

export const rightsGroup = groupIn(namespace, {
  setUp: [
    made(
      `${apis}/clusterroles`,
      clusterRole('ann', [
        held,
        writes,
        rule(['update'], ['*/scale'], ['apps']),
        rule(['get'], ['configmaps'], [''], { resourceNames: ['mine'] }),
      ]),
    ),
    made(
      `${apis}/clusterroles`,
      clusterRole('bob', [
        writes,
        rule(['escalate'], ['roles'], ['rbac.authorization.k8s.io']),
        rule(['bind'], ['roles'], ['rbac.authorization.k8s.io'], { resourceNames: ['more'] }),
      ]),
    ),
    made(`${apis}/clusterrolebindings`, clusterBinding('ann', 'ann', [user('ann')])),
    made(`${apis}/clusterrolebindings`, clusterBinding('bob', 'bob', [user('bob')])),
    made(
      `${apis}/clusterroles`,
      clusterRole('proxier', [
        rule(['list', 'watch'], ['services', 'nodes']),
        rule(['create', 'patch'], ['events'], ['events.k8s.io', '']),
      ]),
    ),
    made(roles, role('more', [rule(['get', 'list'], ['secrets'])])),
    made(roles, role('here', [rule(['get'], ['services'])])),
    made(bindings, binding('here', 'Role', 'here', [user('ann')])),
    made(bindings, binding('held', 'Role', 'more')),
  ],
  cases,
})
