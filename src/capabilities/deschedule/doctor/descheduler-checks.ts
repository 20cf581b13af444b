// Deschedulers as processes: whether the account of ours has the rights that it needs for what it is told, and which policy of upstream's does
// something else than it says.
import { parseDocument } from 'yaml'
import type { CapabilityFindings } from '#doctor/capability-findings.ts'
import { type ClusterFacts, ofKind } from '#doctor/facts.ts'
import { type Finding, finding, findingsOf, kind } from '#doctor/finding.ts'
import { accountOf } from '#doctor/own-facts.ts'
import { areBindingsRead, lackingRights, placeText, resourceText } from '#doctor/rights-checks.ts'
import { shown } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { isOlder } from '#upstreams/convert-values.ts'
import { findUpstreams } from '#upstreams/recognition.ts'
import { sparingProfiles } from '../swap/descheduler-policy.ts'
import { policyPlace, policyText } from '../swap/descheduler-workload.ts'
import { isOwnDescheduler, neededRights } from './own-descheduler.ts'

const kinds = {
  'descheduler-spares-all': kind(
    'warn',
    'upstreams',
    'a policy by which the descheduler evicts nothing, though it says otherwise',
  ),
}
const ownFinding = findingsOf(kinds)

/** Rebalancing does nothing without a policy; where policies could not be read there may be one. */
function hasPolicies(facts: ClusterFacts): boolean {
  const isRead = !facts.unread.some(({ kind }) => kind === 'rebalancepolicies.ballast.dev')
  return !isRead || ofKind(facts, 'RebalancePolicy', 'rebalancepolicies').length > 0
}

export function checkDeschedulers(facts: ClusterFacts): readonly Finding[] {
  return [...lacking(facts), ...sparing(facts)]
}

function lacking(facts: ClusterFacts): readonly Finding[] {
  if (!areBindingsRead(facts)) return []
  return ofKind(facts, 'Deployment', 'CronJob')
    .filter(isOwnDescheduler)
    .flatMap(workload => lackingOf(facts, workload))
}

function lackingOf(facts: ClusterFacts, workload: KubeObject): readonly Finding[] {
  const rights = neededRights(workload, policyMap(facts, workload))
  if (rights === undefined) return []
  const { namespace = 'default' } = workload.metadata
  const account = accountOf(workload)
  const groups = Map.groupBy(
    lackingRights(facts, rights, { namespace, account }),
    right => `${resourceText(right)} ${placeText(right, namespace)}`,
  )
  return Array.from(groups, ([what, lack]) =>
    finding('rbac-missing', {
      object: `ServiceAccount ${namespace}/${account}`,
      capability: 'deschedule',
      message: `may not ${lack.map(({ verb }) => verb).join(', ')} ${what}, which ${shown(workload)} needs`,
      fix: `ballast manifests -f values.yaml -n ${namespace} --only rbac | kubectl apply --server-side --force-conflicts -f -   # with the values that it was installed by; or upgrade the chart with rbac.create: true`,
    }),
  )
}

/** Upstream's program never lists budgets, so by this option it spares every pod. */
function sparing(facts: ClusterFacts): readonly Finding[] {
  return findUpstreams(facts.objects)
    .filter(({ upstream, version }) => upstream.name === 'descheduler' && isConcerned(version))
    .flatMap(({ workload }) => {
      const profiles = sparingProfiles(policyIn(policyText(workload, policyMap(facts, workload))))
      if (profiles.length === 0) return []
      const [noun, verb] = profiles.length === 1 ? ['profile', 'evicts'] : ['profiles', 'evict']
      return [
        ownFinding('descheduler-spares-all', {
          object: shown(workload),
          capability: 'deschedule',
          message: `PodsWithoutPDB is on: upstream up to v0.36.0 spares every pod then, with a budget or without (issue 1882), so ${noun} ${profiles.join(', ')} ${verb} nothing; Ballast's spares those without a budget and evicts the others`,
          fix: 'ballast shadow --policy-config-file policy.yaml   # shows what Ballast would evict; or take PodsWithoutPDB (ignorePodsWithoutPDB) out of the policy',
        }),
      ]
    })
}

const firstUnknown = '0.37.0'

/** Also where no version is told: what comes after v0.36 may do as it says. */
const isConcerned = (version: string | undefined): boolean =>
  version === undefined || !/^v?\d+\.\d+\.\d+$/.test(version) || isOlder(version, firstUnknown)

function policyMap(facts: ClusterFacts, workload: KubeObject): KubeObject | undefined {
  const place = policyPlace(workload)
  return ofKind(facts, 'ConfigMap').find(
    ({ metadata }) => metadata.name === place?.name && metadata.namespace === place.namespace,
  )
}

function policyIn(text: string | undefined): unknown {
  const document = parseDocument(text ?? '', { prettyErrors: false })
  return document.errors.length > 0 ? undefined : document.toJS({ maxAliasCount: 100 })
}

export const deschedulerFindings: CapabilityFindings = { kinds, cluster: checkDeschedulers, isAtWork: hasPolicies }
