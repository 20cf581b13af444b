// Small kinds of `networking.k8s.io`.
import { isIP } from 'node:net'
import { type FieldError, forbidden, invalid, notSupported, required, tooLong } from '#kube/objects/field-error.ts'
import { dns1123SubdomainProblems } from '#kube/objects/names.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type Draft, fieldsAt, listAt, textAt } from '../../json-value.ts'

const scopes = ['Cluster', 'Namespace']

/** Everything that is wrong with an IngressClass. */
export function ingressClassProblems(draft: Draft): readonly FieldError[] {
  const spec = fieldsAt(draft, 'spec') ?? {}
  const problems: FieldError[] = []
  problems.push(...controllerProblems(textAt(spec, 'controller') ?? ''))
  const parameters = fieldsAt(spec, 'parameters')
  if (parameters === undefined) return problems
  const at = 'spec.parameters'
  const group = textAt(parameters, 'apiGroup')
  if (group !== undefined) problems.push(...dns1123SubdomainProblems(group).map(rule => invalid(`${at}.apiGroup`, group, rule)))
  for (const name of ['kind', 'name']) if ((textAt(parameters, name) ?? '') === '') problems.push(required(`${at}.${name}`))
  const [scope = '', namespace] = [textAt(parameters, 'scope'), textAt(parameters, 'namespace')]
  if (!scopes.includes(scope)) problems.push(notSupported(`${at}.scope`, scope, scopes))
  if (scope === 'Cluster' && namespace !== undefined)
    problems.push(forbidden(`${at}.namespace`, "`parameters.scope` is set to 'Cluster'"))
  if (scope === 'Namespace' && (namespace ?? '') === '')
    problems.push(required(`${at}.namespace`, "`parameters.scope` is set to 'Namespace'"))
  return problems
}

const controllerLength = 250
const pathRule = "Invalid path (regex used for validation is '[A-Za-z0-9/\\\\-._~%!$&'()*+,;=:]+')"

function controllerProblems(controller: string): readonly FieldError[] {
  const at = 'spec.controller'
  const slash = controller.indexOf('/')
  const [domain, path] = [controller.slice(0, Math.max(slash, 0)), controller.slice(slash + 1)]
  const long = controller.length > controllerLength ? [tooLong(at, controllerLength)] : []
  if (controller === '') return [required(at)]
  if (domain === '' || path === '')
    return [...long, invalid(at, controller, 'must be a domain-prefixed path (such as "acme.io/foo")')]
  return [
    ...long,
    ...dns1123SubdomainProblems(domain).map(rule => invalid(at, domain, rule)),
    ...(/^[A-Za-z0-9/\-._~%!$&'()*+,;=:]+$/.test(path) ? [] : [invalid(at, path, pathRule)]),
  ]
}

/** A ServiceCIDR keeps its ranges; it may get one of another family. */
export function rangeUpdateProblems(draft: Draft, existing: Draft | KubeObject): readonly FieldError[] {
  const at = 'spec.cidrs'
  const [now, before] = [draft, existing].map(object => listAt(object, 'spec', 'cidrs').map(String)) as [string[], string[]]
  const why = 'field is immutable'
  if (now.length < before.length) return [invalid(at, now.length === 0 ? null : now, why)]
  return before.flatMap((range, index) => (now[index] === range ? [] : [invalid(`${at}[${index}]`, now[index], why)]))
}

/** Everything that is wrong with an IPAddress but for its name. */
export function addressProblems(draft: Draft): readonly FieldError[] {
  const parent = fieldsAt(draft, 'spec', 'parentRef')
  if (parent === undefined) return [required('spec.parentRef')]
  const group = textAt(parent, 'group') ?? ''
  return [
    ...(group === '' ? [] : dns1123SubdomainProblems(group).map(rule => invalid('spec.parentRef.group', group, rule))),
    ...['resource', 'name'].flatMap(name => ((textAt(parent, name) ?? '') === '' ? [required(`spec.parentRef.${name}`)] : [])),
  ]
}

/** Everything that is wrong with a ServiceCIDR. */
export function rangeProblems(draft: Draft, before?: Draft): readonly FieldError[] {
  // What is in one stays, and is not looked at again.
  if (before !== undefined) return []
  const ranges = listAt(draft, 'spec', 'cidrs').map(String)
  if (ranges.length === 0) return [required('spec.cidrs', 'at least one CIDR required')]
  return ranges.flatMap((range, index) =>
    isRange(range)
      ? []
      : [invalid(`spec.cidrs[${index}]`, range, 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)')],
  )
}

function isRange(text: string): boolean {
  const [address = '', length = '', ...more] = text.split('/')
  const family = isIP(address)
  return family !== 0 && more.length === 0 && /^\d{1,3}$/.test(length) && Number(length) <= (family === 4 ? 32 : 128)
}
