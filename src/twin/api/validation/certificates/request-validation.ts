// Requests for certificates: what is asked, of whom, for what and for how long.
import { duplicate, type FieldError, invalid, notSupported, required } from '#kube/objects/field-error.ts'
import { dns1123LabelProblems, dns1123SubdomainProblems } from '#kube/objects/names.ts'
import { type Draft, listAt, numberAt, textAt } from '../../../json-value.ts'

const usages = [
  ...['any', 'cert sign', 'client auth', 'code signing', 'content commitment', 'crl sign', 'data encipherment'],
  ...['decipher only', 'digital signature', 'email protection', 'encipher only', 'ipsec end system', 'ipsec tunnel'],
  ...['ipsec user', 'key agreement', 'key encipherment', 'microsoft sgc', 'netscape sgc', 'ocsp signing', 's/mime'],
  ...['server auth', 'signing', 'timestamping'],
]
const shortestSeconds = 600

/** Everything that is wrong with a new CertificateSigningRequest but for its metadata; what it asks stays afterwards. */
export function requestProblems(draft: Draft, before?: Draft): readonly FieldError[] {
  if (before !== undefined) return []
  const request = textAt(draft, 'spec', 'request') ?? ''
  const asked = listAt(draft, 'spec', 'usages').map(String)
  const seconds = numberAt(draft, 'spec', 'expirationSeconds')
  return [
    ...(isRequest(request)
      ? []
      : [invalid('spec.request', request === '' ? null : request, 'PEM block type must be CERTIFICATE REQUEST')]),
    ...(asked.length === 0 ? [required('spec.usages')] : []),
    ...asked.flatMap((usage, index) => (usages.includes(usage) ? [] : [notSupported(`spec.usages[${index}]`, usage, usages)])),
    ...asked.flatMap((usage, index) => (asked.indexOf(usage) < index ? [duplicate(`spec.usages[${index}]`, usage)] : [])),
    ...signerProblems(textAt(draft, 'spec', 'signerName') ?? ''),
    ...(seconds !== undefined && seconds < shortestSeconds
      ? [invalid('spec.expirationSeconds', seconds, 'may not specify a duration less than 600 seconds (10 minutes)')]
      : []),
  ]
}

function isRequest(encoded: string): boolean {
  return Buffer.from(encoded, 'base64').toString('latin1').includes('-----BEGIN CERTIFICATE REQUEST-----')
}

function signerProblems(name: string): readonly FieldError[] {
  const at = 'spec.signerName'
  if (name === '') return [required(at)]
  if (name === 'kubernetes.io/legacy-unknown')
    return [invalid(at, name, 'the legacy signerName is not allowed via this API version')]
  const [domain = '', path = '', ...more] = name.split('/')
  if (!name.includes('/') || more.length > 0)
    return [invalid(at, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'")]
  const labels = domain.split('.')
  return [
    ...firstProblems(at, domain, dns1123LabelProblems),
    ...(labels.length < 2 ? [invalid(at, domain, 'should be a domain with at least two segments separated by dots')] : []),
    ...firstProblems(at, path, dns1123SubdomainProblems),
  ]
}

/** What is wrong with the first part between dots that breaks a rule. */
function firstProblems(at: string, text: string, rules: (part: string) => readonly string[]): readonly FieldError[] {
  const wrong = text.split('.').find(part => rules(part).length > 0)
  if (wrong === undefined) return []
  return rules(wrong).map(rule => invalid(at, text, `validating label ${JSON.stringify(wrong)}: ${rule}`))
}
