// The rights that Ballast's ServiceAccount has, by its bindings, beside those that the enabled capabilities declare; and which versions of
// Ballast's parts are there.
import type { Right } from '#coordination/rbac.ts'
import { imagesOf, listAt, shown, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type ClusterFacts, type OwnFacts, ofKind } from './facts.ts'
import { type Finding, finding } from './finding.ts'

interface Rule {
  /** `cluster`, or a namespace. */
  readonly place: string
  readonly groups: readonly string[]
  readonly resources: readonly string[]
  readonly names: readonly string[]
  readonly verbs: readonly string[]
}

/** A ServiceAccount by where and what it is called. */
type Account = Pick<OwnFacts, 'namespace' | 'account'>

export function checkRights(facts: ClusterFacts): readonly Finding[] {
  const { ours } = facts
  if (ours === undefined) return versionSkew(facts)
  return areBindingsRead(facts) ? [...missing(facts, ours), ...excess(facts, ours), ...versionSkew(facts)] : versionSkew(facts)
}

/** Without the bindings nothing can be said. */
export const areBindingsRead = ({ unread }: ClusterFacts): boolean =>
  !unread.some(({ kind }) => kind.endsWith('rbac.authorization.k8s.io'))

/** Those of `rights` that no role bound to the account grants. */
export function lackingRights(facts: ClusterFacts, rights: readonly Right[], account: Account): readonly Right[] {
  const rules = grantedRules(facts, account)
  return rights.filter(right => !rules.some(rule => covers(rule, right, account.namespace)))
}

/** The roles anew, for what the controller is configured to do. */
function rightsAsConfigured({ namespace }: OwnFacts): string {
  const read = `kubectl -n ${namespace} get configmap ballast-config -o jsonpath='{.data.config\\.yaml}'`
  return `${read} | ballast manifests --config /dev/stdin -n ${namespace} --only rbac | kubectl apply --server-side --force-conflicts -f -`
}

function missing(facts: ClusterFacts, ours: OwnFacts): readonly Finding[] {
  const lacking = lackingRights(facts, ours.rights, ours)
  return [...Map.groupBy(lacking, right => `${right.place} ${resourceText(right)}`).values()].map(rights => {
    const [first] = rights
    const verbs = rights.map(({ verb }) => verb).join(', ')
    const where = first === undefined ? 'cluster-wide' : placeText(first, ours.namespace)
    return finding('rbac-missing', {
      object: `ServiceAccount ${ours.namespace}/${ours.account}`,
      message: `may not ${verbs} ${first === undefined ? '' : resourceText(first)} ${where}, which ${ours.enabled.join(', ')} needs`,
      fix: `${rightsAsConfigured(ours)}   # or upgrade the chart with rbac.create: true`,
    })
  })
}

/** Rules of which no enabled capability needs anything; only those of cluster-wide roles, which weigh most. */
function excess(facts: ClusterFacts, ours: OwnFacts): readonly Finding[] {
  // What runs by a configuration that lies elsewhere may need all of it.
  if (!ours.isConfigured) return []
  const rules = grantedRules(facts, ours).filter(({ place }) => place === 'cluster')
  const idle = rules.flatMap(rule =>
    rule.groups.flatMap(group =>
      rule.resources.flatMap(resource => {
        const used = ours.rights.filter(right => right.group === group && right.resource === resource).map(({ verb }) => verb)
        const verbs = rule.verbs.filter(verb => verb !== '*' && !used.includes(verb))
        const isAll = group === '*' || resource === '*' || rule.verbs.includes('*')
        return isAll || verbs.length > 0 ? [`${(isAll ? rule.verbs : verbs).join(', ')} ${key(group, resource)}`] : []
      }),
    ),
  )
  if (idle.length === 0) return []
  return [
    finding('rbac-excess', {
      object: `ServiceAccount ${ours.namespace}/${ours.account}`,
      message: `may ${idle.slice(0, 5).join('; ')}${idle.length > 5 ? ` and ${idle.length - 5} more` : ''}, which no enabled capability needs`,
      fix: rightsAsConfigured(ours),
    }),
  ]
}

function grantedRules(facts: ClusterFacts, { namespace, account }: Account): readonly Rule[] {
  return ofKind(facts, 'ClusterRoleBinding', 'RoleBinding')
    .filter(binding =>
      listAt(binding, 'subjects').some(
        subject =>
          textAt(subject, 'kind') === 'ServiceAccount' &&
          textAt(subject, 'name') === account &&
          (textAt(subject, 'namespace') ?? binding.metadata.namespace) === namespace,
      ),
    )
    .flatMap(binding => rulesOf(facts, binding))
}

function rulesOf(facts: ClusterFacts, binding: KubeObject): readonly Rule[] {
  const kind = textAt(binding, 'roleRef', 'kind') ?? ''
  const name = textAt(binding, 'roleRef', 'name') ?? ''
  const role = ofKind(facts, kind).find(
    one => one.metadata.name === name && (kind === 'ClusterRole' || one.metadata.namespace === binding.metadata.namespace),
  )
  const place = binding.kind === 'ClusterRoleBinding' ? 'cluster' : (binding.metadata.namespace ?? '')
  const texts = (rule: unknown, field: string) => listAt(rule, field).map(String)
  return listAt(role, 'rules').map(rule => ({
    place,
    groups: texts(rule, 'apiGroups'),
    resources: texts(rule, 'resources'),
    names: texts(rule, 'resourceNames'),
    verbs: texts(rule, 'verbs'),
  }))
}

function covers(rule: Rule, right: Right, ownNamespace: string): boolean {
  const place = right.place === '' ? ownNamespace : right.place
  const has = (list: readonly string[], wanted: string) => list.includes('*') || list.includes(wanted)
  return (
    (rule.place === 'cluster' || rule.place === place) &&
    has(rule.groups, right.group) &&
    has(rule.resources, right.resource) &&
    has(rule.verbs, right.verb) &&
    (rule.names.length === 0 || (right.names.length > 0 && right.names.every(name => rule.names.includes(name))))
  )
}

const key = (group: string, resource: string) => (group === '' ? resource : `${resource}.${group}`)

/** `cluster-wide`, or in which namespace. */
export const placeText = ({ place }: Right, ownNamespace: string): string =>
  place === 'cluster' ? 'cluster-wide' : `in ${place === '' ? ownNamespace : place}`

/** `leases.coordination.k8s.io descheduler`: the resource, and names where it is of some only. */
export const resourceText = ({ group, resource, names }: Right) =>
  `${key(group, resource)}${names.length === 0 ? '' : ` ${names.join(', ')}`}`

/** Versions of what carries ours: workloads by image, kinds by label. More than one minor apart is more than is tested. */
function versionSkew(facts: ClusterFacts): readonly Finding[] {
  const versions = [
    ...ofKind(facts, 'Deployment', 'DaemonSet')
      .filter(({ metadata }) => metadata.labels?.['app.kubernetes.io/part-of'] === 'ballast')
      .flatMap(workload => {
        const version = imagesOf(workload).flatMap(image => /\/ballast:v?(\d+\.\d+\.\d+[^@]*)/.exec(image)?.[1] ?? [])[0]
        return version === undefined ? [] : [{ object: shown(workload), version }]
      }),
    ...ofKind(facts, 'CustomResourceDefinition').flatMap(definition => {
      const version = definition.metadata.labels?.['ballast.dev/version']
      const isOurs = textAt(definition, 'spec', 'group') === 'ballast.dev'
      return isOurs && version !== undefined ? [{ object: shown(definition), version }] : []
    }),
  ]
  const newest = versions.toSorted((a, b) => minorOf(b.version) - minorOf(a.version))[0]
  if (newest === undefined) return []
  return versions
    .filter(({ version }) => minorOf(newest.version) - minorOf(version) > 1)
    .map(({ object, version }) =>
      finding('version-skew', {
        object,
        message: `is of ${version}, ${newest.object} of ${newest.version}: more than one minor apart is not tested`,
        fix: `upgrade everything to ${newest.version}, the kinds first: ballast manifests --only crds | kubectl apply --server-side -f -`,
      }),
    )
}

function minorOf(version: string): number {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return 1000 * major + minor
}
