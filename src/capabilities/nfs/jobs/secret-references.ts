// Which Secrets a class names for which call. Names and namespaces may be templates, as Go's os.Expand reads them; sentences are upstream's.

import { goQuote } from '#kube/objects/field-error.ts'
import { dns1123LabelProblems, dns1123SubdomainProblems } from '#kube/objects/names.ts'
import { type Outcome, refused, taken } from './outcome.ts'
import type { SecretReference } from './storage-kinds.ts'

type Parameters = Readonly<Record<string, string>>

/** The keys by which a class names one Secret. */
export interface SecretKeys {
  /** As sentences name it. */
  readonly title: string
  readonly name: string
  readonly namespace: string
  /** Older keys, which go to the driver, too. */
  readonly older?: { readonly name: string; readonly namespace: string }
}

/** What templates may say; whoever makes a claim chooses its name and annotations, and so they never lead to a namespace. */
export interface Tokens {
  readonly ofName: Parameters
  readonly ofNamespace: Parameters
}

interface Templates {
  readonly name: string
  readonly namespace: string
}

/** The Secret that `parameters` name by `keys`, else by `fallback`; undefined where they name none. */
export function secretReference(
  keys: SecretKeys,
  parameters: Parameters,
  tokens: Tokens,
  fallback?: SecretKeys,
): Outcome<SecretReference | undefined> {
  const own = templatesOf(keys, parameters)
  if (!own.ok) return refused(`failed to get name and namespace template from params: ${own.why}`)
  const standard = own.value === undefined && fallback !== undefined ? templatesOf(fallback, parameters) : own
  if (!standard.ok) return refused(`failed to get default name and namespace template from params: ${standard.why}`)
  const templates = standard.value
  if (templates === undefined) return taken(undefined)
  const namespace = resolved(templates.namespace, tokens.ofNamespace)
  if (!namespace.ok) return namespace
  if (dns1123LabelProblems(namespace.value).length > 0)
    return refused(notValid(templates.namespace, namespace.value, 'namespace'))
  const name = resolved(templates.name, tokens.ofName)
  if (!name.ok) return name
  if (dns1123SubdomainProblems(name.value).length > 0) return refused(notValid(templates.name, name.value, 'secret'))
  return taken({ name: name.value, namespace: namespace.value })
}

function templatesOf({ title, name, namespace, older }: SecretKeys, parameters: Parameters): Outcome<Templates | undefined> {
  const names = valuesOf(parameters, [older?.name, name])
  const namespaces = valuesOf(parameters, [older?.namespace, namespace])
  if (names.length > 1 || namespaces.length > 1)
    return refused(`${title} secrets specified in parameters with both "csi" and "csi.storage.k8s.io/" keys`)
  if (names.length !== namespaces.length)
    return refused(`either name and namespace for ${title} secrets specified, Both must be specified`)
  const [nameTemplate] = names
  const [namespaceTemplate] = namespaces
  if (nameTemplate === undefined || namespaceTemplate === undefined) return taken(undefined)
  if (nameTemplate === '' || namespaceTemplate === '')
    return refused(`${title} secrets specified in parameters but value of either namespace or name is empty`)
  return taken({ name: nameTemplate, namespace: namespaceTemplate })
}

function valuesOf(parameters: Parameters, keys: readonly (string | undefined)[]): readonly string[] {
  return keys.flatMap(key => (key !== undefined && Object.hasOwn(parameters, key) ? [parameters[key] ?? ''] : []))
}

function notValid(template: string, value: string, what: 'namespace' | 'secret'): string {
  return template === value
    ? `${goQuote(template)} is not a valid ${what} name`
    : `${goQuote(template)} resolved to ${goQuote(value)} which is not a valid ${what} name`
}

function resolved(template: string, tokens: Parameters): Outcome<string> {
  const missing = new Set<string>()
  const text = expanded(template, token => {
    if (Object.hasOwn(tokens, token)) return tokens[token] ?? ''
    missing.add(token)
    return ''
  })
  if (missing.size === 0) return taken(text)
  const list = [...missing].sort().map(goQuote).join(' ')
  return refused(`error resolving value ${goQuote(template)}: invalid tokens: [${list}]`)
}

/** `${token}` and `$token` replaced. `${}` and a brace that is never closed are dropped; a `$` before anything else stays. */
function expanded(template: string, tokenValue: (token: string) => string): string {
  return template.replace(
    /\$(?:\{([^}]+)\}|(\{\}?)|([*#$@!?\-0-9])|(\w+))/g,
    (_, braced: string | undefined, broken: string | undefined, special: string | undefined, word: string | undefined) =>
      broken === undefined ? tokenValue(braced ?? special ?? word ?? '') : '',
  )
}
