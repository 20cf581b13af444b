// Webhook configurations: names, where they are asked, and about what.
import { duplicate, type FieldError, invalid, notSupported, required } from '#kube/objects/field-error.ts'
import { dns1035LabelProblems, dns1123SubdomainProblems } from '#kube/objects/names.ts'
import { type Draft, fieldsAt, itemsAt, listAt, numberAt, textAt } from '../../json-value.ts'
import { matchConditionProblems, matchRuleProblems } from './match-rule-validation.ts'
import { labelSelectorProblems } from './selector-validation.ts'

const choices = {
  failurePolicy: ['Fail', 'Ignore'],
  matchPolicy: ['Equivalent', 'Exact'],
  reinvocationPolicy: ['IfNeeded', 'Never'],
} as const
const sideEffects = ['None', 'NoneOnDryRun']
const reviewVersions = ['v1', 'v1beta1']

/** Everything that is wrong with a MutatingWebhookConfiguration or ValidatingWebhookConfiguration. */
export function webhookProblems(draft: Draft): readonly FieldError[] {
  const seen = new Set<string>()
  return itemsAt(draft, 'webhooks').flatMap((webhook, index) => {
    const at = `webhooks[${index}]`
    const name = textAt(webhook, 'name') ?? ''
    const problems = [...nameProblems(`${at}.name`, name), ...oneWebhookProblems(at, webhook)]
    if (name !== '' && seen.has(name)) problems.push(duplicate(`${at}.name`, name))
    seen.add(name)
    return problems
  })
}

function nameProblems(at: string, name: string): readonly FieldError[] {
  if (name === '') return [required(at)]
  const problems = dns1123SubdomainProblems(name).map(rule => invalid(at, name, rule))
  if (problems.length > 0) return problems
  return name.split('.').length < 3
    ? [invalid(at, name, 'should be a domain with at least three segments separated by dots')]
    : []
}

function oneWebhookProblems(at: string, webhook: Draft): readonly FieldError[] {
  const effects = textAt(webhook, 'sideEffects')
  const seconds = numberAt(webhook, 'timeoutSeconds')
  return [
    ...itemsAt(webhook, 'rules').flatMap((rule, index) => matchRuleProblems(`${at}.rules[${index}]`, rule)),
    ...Object.entries(choices).flatMap(([field, allowed]) => {
      const value = textAt(webhook, field)
      return value === undefined || (allowed as readonly string[]).includes(value)
        ? []
        : [notSupported(`${at}.${field}`, value, allowed)]
    }),
    ...(effects === undefined
      ? [required(`${at}.sideEffects`, `must specify one of ${sideEffects.join(', ')}`)]
      : sideEffects.includes(effects)
        ? []
        : [notSupported(`${at}.sideEffects`, effects, sideEffects)]),
    ...(seconds !== undefined && (seconds < 1 || seconds > 30)
      ? [invalid(`${at}.timeoutSeconds`, seconds, 'the timeout value must be between 1 and 30 seconds')]
      : []),
    ...labelSelectorProblems(`${at}.namespaceSelector`, fieldsAt(webhook, 'namespaceSelector')),
    ...labelSelectorProblems(`${at}.objectSelector`, fieldsAt(webhook, 'objectSelector')),
    ...clientProblems(`${at}.clientConfig`, fieldsAt(webhook, 'clientConfig') ?? {}),
    ...versionProblems(`${at}.admissionReviewVersions`, listAt(webhook, 'admissionReviewVersions').map(String)),
    ...matchConditionProblems(`${at}.matchConditions`, itemsAt(webhook, 'matchConditions')),
  ]
}

function clientProblems(at: string, client: Draft): readonly FieldError[] {
  const service = fieldsAt(client, 'service')
  const url = textAt(client, 'url')
  if ((url === undefined) === (service === undefined)) return [required(at, 'exactly one of url or service is required')]
  if (url !== undefined) return urlProblems(`${at}.url`, url)
  if (service === undefined) return []
  // Upstream takes one for the other.
  const swapped = { name: 'namespace', namespace: 'name' }
  const problems = Object.entries(swapped).flatMap(([named, meant]) =>
    (textAt(service, meant) ?? '') === '' ? [required(`${at}.service.${named}`)] : [],
  )
  const port = numberAt(service, 'port')
  if (port !== undefined && (port < 1 || port > 65535))
    problems.push(invalid(`${at}.service.port`, port, 'port is not valid: must be between 1 and 65535, inclusive'))
  return problems
}

/** An address must be absolute and of https, and say nothing but where. */
function urlProblems(at: string, text: string): readonly FieldError[] {
  const form = '; desired format: https://host[/path]'
  const [, scheme = '', rest = ''] = /^(?:([A-Za-z][A-Za-z0-9+.-]*):)?(.*)$/s.exec(text) ?? []
  const [, authority = '', query, fragment] = /^(?:\/\/([^/?#]*))?[^?#]*(?:\?([^#]*))?(?:#(.*))?$/s.exec(rest) ?? []
  const [host = '', user] = authority.split('@').toReversed()
  const isSecure = scheme.toLowerCase() === 'https'
  return [
    ...(isSecure ? [] : [invalid(at, scheme.toLowerCase(), `'https' is the only allowed URL scheme${form}`)]),
    ...(host === '' ? [invalid(at, host, `host must be specified${form}`)] : []),
    ...(user === undefined ? [] : [invalid(at, user, 'user information is not permitted in the URL')]),
    ...((fragment ?? '') === '' ? [] : [invalid(at, fragment, 'fragments are not permitted in the URL')]),
    ...((query ?? '') === '' ? [] : [invalid(at, query, 'query parameters are not permitted in the URL')]),
  ]
}

function versionProblems(at: string, versions: readonly string[]): readonly FieldError[] {
  if (versions.length === 0) return [required(at, `must specify one of ${reviewVersions.join(', ')}`)]
  const problems = versions.flatMap((version, index): readonly FieldError[] => {
    if (versions.indexOf(version) < index) return [invalid(`${at}[${index}]`, version, 'duplicate version')]
    return dns1035LabelProblems(version).map(rule => invalid(`${at}[${index}]`, version, rule))
  })
  return versions.some(version => reviewVersions.includes(version))
    ? problems
    : [...problems, invalid(at, versions, `must include at least one of ${reviewVersions.join(', ')}`)]
}
