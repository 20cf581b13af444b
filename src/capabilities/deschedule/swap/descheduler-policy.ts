// The DeschedulerPolicy in upstream's values: carried as it stands, with what our chart wants to know besides.

import type { RowContext, Step } from '#upstreams/values-row.ts'
import { isTree, valueAt } from '#upstreams/values-tree.ts'
import { descheduler } from './descheduler-options.ts'

const policyVersion = 'descheduler/v1alpha2'
const namespaceTemplate = /\{\{-?\s*\$?\.Release\.Namespace\s*-?\}\}/g

/** The policy with its header, and the Secrets that it names for Prometheus. */
export function policySteps(value: unknown, { namespace }: Pick<RowContext, 'namespace'>): readonly Step[] {
  if (!isTree(value)) return [{ kind: 'lost', why: `found ${JSON.stringify(value)}, expected a map: a DeschedulerPolicy` }]
  const policy = { apiVersion: policyVersion, kind: 'DeschedulerPolicy', ...filledIn(value, namespace) }
  const secrets = tokenSecrets(policy)
  const templates = templatesIn(policy)
  const sparing = sparingWords(policy)
  const step: Step =
    templates.length === 0
      ? { kind: 'carried', to: descheduler('policy'), value: policy, ...(sparing === undefined ? {} : { why: sparing }) }
      : {
          kind: 'changed',
          to: descheduler('policy'),
          value: policy,
          why: `${sparing === undefined ? '' : `${sparing}. And `}its templates are filled in with the release and the values of Ballast's chart, not of upstream's: ${templates.join(', ')}${templates.some(one => one.includes('.Release.Namespace')) ? ' (-n NAMESPACE fills the namespace in)' : ''}`,
        }
  return [
    step,
    ...(secrets.length === 0
      ? []
      : [
          {
            kind: 'carried',
            to: descheduler('tokenSecrets'),
            value: secrets,
            why: 'the policy names them, so they may be read',
          } as const,
        ]),
  ]
}

/** Names of the profiles of a policy that spare pods without a budget; upstream's program spares all pods by that. */
export function sparingProfiles(policy: unknown): readonly string[] {
  return listIn(policy, 'profiles').flatMap(profile => {
    // If two have one name, the first is used.
    const evictor = listIn(profile, 'pluginConfig').find(one => valueAt(one, ['name']) === 'DefaultEvictor')
    const isSparing =
      valueAt(evictor, ['args', 'ignorePodsWithoutPDB']) === true ||
      listIn(evictor, 'args', 'podProtections', 'extraEnabled').includes('PodsWithoutPDB')
    return isSparing ? [String(valueAt(profile, ['name']) ?? '')] : []
  })
}

/** For whoever moves such a policy: what is other with ours; `undefined`: nothing. */
export function sparingWords(policy: unknown): string | undefined {
  const profiles = sparingProfiles(policy)
  if (profiles.length === 0) return undefined
  return `PodsWithoutPDB is on in ${profiles.length === 1 ? 'profile' : 'profiles'} ${profiles.join(', ')}: upstream up to v0.36.0 spares every pod then, also with a budget (issue 1882); ours spares those without one, so it evicts where upstream did not: look at ballast shadow first`
}

const listIn = (value: unknown, ...path: readonly string[]): readonly unknown[] => {
  const found = valueAt(value, path)
  return Array.isArray(found) ? found : []
}

/** Steps for the version of upstream's chart, which stands in the ConfigMap above the policy. */
export function versionSteps(value: unknown): readonly Step[] {
  if (value === policyVersion) return [{ kind: 'dropped', why: 'it stands in descheduler.policy' }]
  return [
    {
      kind: 'lost',
      why: `found ${JSON.stringify(value)}, expected ${policyVersion}: upstream refuses others from v0.33 on, too`,
    },
  ]
}

/** The namespace of upstream's release is where its Secrets are: ours lies elsewhere. */
function filledIn(value: Readonly<Record<string, unknown>>, namespace: string | undefined): Readonly<Record<string, unknown>> {
  const filled = (inner: unknown): unknown => {
    if (typeof inner === 'string') return namespace === undefined ? inner : inner.replace(namespaceTemplate, namespace)
    if (Array.isArray(inner)) return inner.map(filled)
    return isTree(inner) ? filledIn(inner, namespace) : inner
  }
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, filled(inner)]))
}

function templatesIn(value: unknown): readonly string[] {
  if (typeof value === 'string') return value.match(/\{\{[\s\S]*?\}\}/g) ?? []
  if (typeof value !== 'object' || value === null) return []
  return [...new Set(Object.values(value).flatMap(templatesIn))]
}

function tokenSecrets(policy: unknown): readonly { readonly namespace: string; readonly name: string }[] {
  return listIn(policy, 'metricsProviders').flatMap(provider => {
    const [namespace, name] = ['namespace', 'name'].map(key =>
      valueAt(provider, ['prometheus', 'authToken', 'secretReference', key]),
    )
    return typeof namespace === 'string' && typeof name === 'string' ? [{ namespace, name }] : []
  })
}
