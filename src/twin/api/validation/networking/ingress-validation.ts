// Ingresses: hosts, paths, and what is behind them.
import { type FieldError, invalid, notSupported, required } from '#kube/objects/field-error.ts'
import { dns1035LabelProblems, dns1123LabelProblems, dns1123SubdomainProblems } from '#kube/objects/names.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type Draft, fieldsAt, itemsAt, listAt, textAt } from '../../../json-value.ts'
import { pathSegmentProblems } from '../metadata-validation.ts'
import { isPort, portNameRules, portRange } from '../pods/port-validation.ts'
import { addressProblems, isAddress } from './addresses.ts'

const pathTypes = ['Exact', 'ImplementationSpecific', 'Prefix']
const noPart = ['//', '/./', '/../', '%2f', '%2F']
const noEnd = ['/..', '/.']
const classAnnotation = 'kubernetes.io/ingress.class'

interface IngressOptions {
  /** Before 1.36 the names of Services begin with a letter. */
  readonly minor: number
  /** What it was before, where it was there. */
  readonly before?: Draft | undefined
}

/** Everything that is wrong with an Ingress. */
export function ingressProblems(draft: Draft, { minor, before }: IngressOptions): readonly FieldError[] {
  const spec = fieldsAt(draft, 'spec') ?? {}
  const backend = fieldsAt(spec, 'defaultBackend')
  const rules = itemsAt(spec, 'rules')
  const className = textAt(spec, 'ingressClassName')
  const of = { minor }
  return [
    ...(rules.length === 0 && backend === undefined
      ? [invalid('spec', null, 'either `defaultBackend` or `rules` must be specified')]
      : []),
    ...(backend === undefined ? [] : backendProblems('spec.defaultBackend', backend, of)),
    ...rules.flatMap((rule, index) => ruleProblems(`spec.rules[${index}]`, rule, of)),
    ...itemsAt(spec, 'tls').flatMap((part, index) => secretProblems(`spec.tls[${index}]`, part, before)),
    ...named('spec.ingressClassName', className, dns1123SubdomainProblems),
    ...(before === undefined ? annotationProblems(draft, className) : []),
  ]
}

function named(at: string, value: string | undefined, rules: (text: string) => readonly string[]): readonly FieldError[] {
  return value === undefined ? [] : rules(value).map(rule => invalid(at, value, rule))
}

function annotationProblems(draft: Draft, className: string | undefined): readonly FieldError[] {
  const value = textAt(draft, 'metadata', 'annotations', classAnnotation)
  if (value === undefined || className === undefined || value === className) return []
  return [invalid(`annotations.${classAnnotation}`, value, 'must match `ingressClassName` when both are specified')]
}

function secretProblems(at: string, part: Draft, before: Draft | undefined): readonly FieldError[] {
  const hosts = listAt(part, 'hosts').map(String)
  const secret = textAt(part, 'secretName') ?? ''
  const wasWrong = itemsAt(before, 'spec', 'tls').some(({ secretName }) => secretRules(String(secretName ?? '')).length > 0)
  return [
    ...hosts.flatMap((host, index) => hostProblems(`${at}.hosts[${index}]`, host)),
    ...(wasWrong ? [] : secretRules(secret).map(rule => invalid(`${at}.secretName`, secret, rule))),
  ]
}

const secretRules = (name: string) => (name === '' ? [] : dns1123SubdomainProblems(name))

const subdomain = '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*'
const wildcardRule = `a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is '\\*\\.${subdomain}')`
const wildcard = new RegExp(`^\\*\\.${subdomain}$`)
const hostLength = 253

function hostProblems(at: string, host: string): readonly FieldError[] {
  if (!host.includes('*')) return named(at, host, dns1123SubdomainProblems)
  return [
    ...(host.length > hostLength ? [invalid(at, host, `must be no more than ${hostLength} characters`)] : []),
    ...(wildcard.test(host) ? [] : [invalid(at, host, wildcardRule)]),
  ]
}

function ruleProblems(at: string, rule: Draft, of: Pick<IngressOptions, 'minor'>): readonly FieldError[] {
  const host = textAt(rule, 'host') ?? ''
  const http = fieldsAt(rule, 'http')
  const paths = itemsAt(http, 'paths')
  return [
    ...(isAddress(host) ? [invalid(`${at}.host`, host, 'must be a DNS name, not an IP address')] : []),
    ...(host === '' ? [] : hostProblems(`${at}.host`, host)),
    ...(http !== undefined && paths.length === 0 ? [required(`${at}.http.paths`)] : []),
    ...paths.flatMap((path, index) => pathProblems(`${at}.http.paths[${index}]`, path, of)),
  ]
}

function pathProblems(at: string, path: Draft, of: Pick<IngressOptions, 'minor'>): readonly FieldError[] {
  const [type, text] = [textAt(path, 'pathType'), textAt(path, 'path') ?? '']
  if (type === undefined) return [required(`${at}.pathType`, 'pathType must be specified')]
  const problems: FieldError[] = []
  const isExact = type === 'Exact' || type === 'Prefix'
  if (!pathTypes.includes(type)) problems.push(notSupported(`${at}.pathType`, type, pathTypes))
  else if (!text.startsWith('/') && (isExact || text !== ''))
    problems.push(invalid(`${at}.path`, text, 'must be an absolute path'))
  if (isExact)
    problems.push(
      ...noPart.filter(part => text.includes(part)).map(part => invalid(`${at}.path`, text, `must not contain '${part}'`)),
      ...noEnd.filter(end => text.endsWith(end)).map(end => invalid(`${at}.path`, text, `cannot end with '${end}'`)),
    )
  return [...problems, ...backendProblems(`${at}.backend`, fieldsAt(path, 'backend') ?? {}, of)]
}

function backendProblems(at: string, backend: Draft, { minor }: Pick<IngressOptions, 'minor'>): readonly FieldError[] {
  const [resource, service] = [fieldsAt(backend, 'resource'), fieldsAt(backend, 'service')]
  if (resource !== undefined && service !== undefined) return [invalid(at, '', 'cannot set both resource and service backends')]
  if (resource !== undefined) return resourceProblems(`${at}.resource`, resource)
  if (service === undefined) return [invalid(at, '', 'resource or service backend is required')]
  const name = textAt(service, 'name') ?? ''
  const rules = minor >= 36 ? dns1123LabelProblems : dns1035LabelProblems
  return [
    ...(name === '' ? [required(`${at}.service.name`)] : named(`${at}.service.name`, name, rules)),
    ...portProblems(at, fieldsAt(service, 'port') ?? {}),
  ]
}

function portProblems(at: string, port: Draft): readonly FieldError[] {
  const [name, number] = [textAt(port, 'name') ?? '', port['number'] ?? 0]
  if (name !== '' && number !== 0) return [invalid(at, '', 'cannot set both port name & port number')]
  if (name !== '') return named(`${at}.service.port.name`, name, portNameRules)
  if (number === 0) return [required(at, 'port name or number is required')]
  return isPort(number) ? [] : [invalid(`${at}.service.port.number`, number, portRange)]
}

function resourceProblems(at: string, resource: Draft): readonly FieldError[] {
  return [
    ...named(`${at}.apiGroup`, textAt(resource, 'apiGroup'), dns1123SubdomainProblems),
    ...['kind', 'name'].flatMap(field => {
      const value = textAt(resource, field) ?? ''
      return value === '' ? [required(`${at}.${field}`)] : named(`${at}.${field}`, value, pathSegmentProblems)
    }),
  ]
}

/** What is wrong with the addresses in a status that was written. */
export function ingressStatusProblems(draft: Draft, existing: Draft | KubeObject): readonly FieldError[] {
  const known = new Set(itemsAt(existing, 'status', 'loadBalancer', 'ingress').map(({ ip }) => ip))
  return itemsAt(draft, 'status', 'loadBalancer', 'ingress').flatMap((ingress, index) => {
    const at = `status.loadBalancer.ingress[${index}]`
    const [ip, host] = [textAt(ingress, 'ip') ?? '', textAt(ingress, 'hostname') ?? '']
    return [
      ...(ip === '' || known.has(ip) ? [] : addressProblems(`${at}.ip`, ip)),
      ...(host === '' ? [] : named(`${at}.hostname`, host, dns1123SubdomainProblems)),
      ...(isAddress(host) ? [invalid(`${at}.hostname`, host, 'must be a DNS name, not an IP address')] : []),
    ]
  })
}
