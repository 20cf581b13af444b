// Names and keys that Kubernetes accepts, its messages for the others, and names that are made.

import { createHash } from 'node:crypto'
import type { Random } from '../random.ts'

const labelCharacters =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
const nameFormat = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'
const dns1123Label = '[a-z0-9]([-a-z0-9]*[a-z0-9])?'
const dns1123Subdomain = `${dns1123Label}(\\.${dns1123Label})*`
const dns1035Label = '[a-z]([-a-z0-9]*[a-z0-9])?'

const namePattern = new RegExp(`^${nameFormat}$`)
const valuePattern = new RegExp(`^(${nameFormat})?$`)
const dns1123LabelPattern = new RegExp(`^${dns1123Label}$`)
const dns1123SubdomainPattern = new RegExp(`^${dns1123Subdomain}$`)
const dns1035LabelPattern = new RegExp(`^${dns1035Label}$`)

const longestGeneratedBase = 58
const generatedCharacters = 'bcdfghjklmnpqrstvwxz2456789'
/** What all annotations of one object may weigh: keys and values, in bytes. */
export const annotationBytesLimit = 262_144

/** What `annotations` weigh against `annotationBytesLimit`. */
export function annotationBytes(annotations: Readonly<Record<string, string>>): number {
  return Object.entries(annotations).reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value), 0)
}

/** What is wrong with `value` as a DNS-1123 label (namespace names, container names); empty: nothing. */
export function dns1123LabelProblems(value: string): readonly string[] {
  const problems = lengthProblems(value, 63, 'characters')
  if (dns1123LabelPattern.test(value)) return problems
  if (dns1123SubdomainPattern.test(value)) return [...problems, 'must not contain dots']
  const rule =
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character"
  return [...problems, `${rule} ${examples(['my-name', '123-abc'], dns1123Label)}`]
}

/** What is wrong with `value` as a DNS-1123 subdomain (most object names); empty: nothing. */
export function dns1123SubdomainProblems(value: string): readonly string[] {
  const problems = lengthProblems(value, 253, 'characters')
  if (dns1123SubdomainPattern.test(value)) return problems
  const rule =
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character"
  return [...problems, `${rule} ${examples(['example.com'], dns1123Subdomain)}`]
}

const underscoredLabel = '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?'
const underscoredSubdomain = `${underscoredLabel}(\\.${underscoredLabel})*`
const underscoredPattern = new RegExp(`^${underscoredSubdomain}$`)

/** What is wrong with `value` as a domain in which names are looked up; empty: nothing. */
export function underscoredSubdomainProblems(value: string): readonly string[] {
  const problems = lengthProblems(value, 253, 'characters')
  if (underscoredPattern.test(value)) return problems
  const rule =
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character"
  return [...problems, `${rule} ${examples(['example.com'], underscoredSubdomain)}`]
}

/** What is wrong with `value` as a DNS-1035 label (service names); empty: nothing. */
export function dns1035LabelProblems(value: string): readonly string[] {
  const problems = lengthProblems(value, 63, 'characters')
  if (dns1035LabelPattern.test(value)) return problems
  const rule =
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character"
  return [...problems, `${rule} ${examples(['my-name', 'abc-123'], dns1035Label)}`]
}

/** What is wrong with `value` as a key of a label, annotation, taint or resource; empty: nothing. */
export function qualifiedNameProblems(value: string): readonly string[] {
  const slash = value.indexOf('/')
  const problems: string[] = []
  if (value.indexOf('/', slash + 1) > slash && slash >= 0) {
    const rule = `a valid label key ${labelCharacters} ${examples(['MyName', 'my.name', '123-abc'], nameFormat)}`
    return [`${rule} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`]
  }
  if (slash === 0) problems.push('prefix part must be non-empty')
  else if (slash > 0) problems.push(...dns1123SubdomainProblems(value.slice(0, slash)).map(text => `prefix part ${text}`))
  const name = value.slice(slash + 1)
  if (name === '') problems.push('name part must be non-empty')
  else problems.push(...lengthProblems(name, 63).map(text => `name part ${text}`))
  if (!namePattern.test(name))
    problems.push(`name part ${labelCharacters} ${examples(['MyName', 'my.name', '123-abc'], nameFormat)}`)
  return problems
}

const configKeyRule =
  "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"

/** What is wrong with `value` as a key of a ConfigMap or Secret; empty: nothing. */
export function configKeyProblems(value: string): readonly string[] {
  return [
    ...lengthProblems(value, 253, 'characters'),
    ...(/^[-._a-zA-Z0-9]+$/.test(value) ? [] : [configKeyRule]),
    ...(value === '.' || value === '..'
      ? [`must not be '${value}'`]
      : value.startsWith('..')
        ? ["must not start with '..'"]
        : []),
  ]
}

/** What is wrong with `value` as a label's value; empty: nothing. */
export function labelValueProblems(value: string): readonly string[] {
  const problems = lengthProblems(value, 63)
  if (valuePattern.test(value)) return problems
  const rule = `a valid label must be an empty string or consist of ${labelCharacters.slice('must consist of '.length)}`
  return [...problems, `${rule} ${examples(['MyValue', 'my_value', '12345'], `(${nameFormat})?`)}`]
}

function lengthProblems(value: string, most: number, unit: 'bytes' | 'characters' = 'bytes'): readonly string[] {
  return Buffer.byteLength(value) > most ? [`must be no more than ${most} ${unit}`] : []
}

/** The bracket Kubernetes puts behind such a rule, its double blanks included. */
function examples(names: readonly string[], format: string): string {
  return `(e.g. ${names.map(name => `'${name}', `).join(' or ')}regex used for validation is '${format}')`
}

/** A name the API server would make of `base` (`metadata.generateName`): cut to 58 characters, five random ones added. */
export function generatedName(base: string, random: Random): string {
  return `${base.slice(0, longestGeneratedBase)}${randomSuffix(5, random)}`
}

/** `length` characters of those that Kubernetes makes names of: no vowels, nothing that looks like another. */
export function randomSuffix(length: number, random: Random): string {
  return Array.from({ length }, () => generatedCharacters.charAt(Math.floor(random() * generatedCharacters.length))).join('')
}

/** A name for `subject` that is always the same: `base` cut so that the whole has at most `longest` characters, `-`, eight hex digits. */
export function hashedName(base: string, subject: string, longest = 63): string {
  const hash = createHash('sha256').update(subject).digest('hex').slice(0, 8)
  return `${base.slice(0, longest - 9).replace(/[-.]+$/, '')}-${hash}`
}
