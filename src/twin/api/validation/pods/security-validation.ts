// Profiles of a pod or of a container, and which devices it names; in upstream's order and words.
import { duplicate, type FieldError, invalid, notSupported, required, tooLong } from '#kube/objects/field-error.ts'
import { dns1123LabelProblems, dns1123SubdomainProblems } from '#kube/objects/names.ts'
import { type Draft, fieldsAt, itemsAt, textAt } from '../../../json-value.ts'
import { printedStruct } from '../../../schema/printed-struct.ts'
import { descendingProblems } from '../volumes/paths.ts'

const profileTypes = ['Localhost', 'RuntimeDefault', 'Unconfined']

/** What is wrong with the profiles in a security context at `at`: that of system calls, and the others. */
export function profileProblems(
  context: Draft,
  at: string,
): { readonly seccomp: readonly FieldError[]; readonly others: readonly FieldError[] } {
  return {
    seccomp: seccompProblems(fieldsAt(context, 'seccompProfile'), `${at}.seccompProfile`),
    others: [
      ...windowsProblems(fieldsAt(context, 'windowsOptions'), `${at}.windowsOptions`),
      ...appArmorProblems(fieldsAt(context, 'appArmorProfile'), `${at}.appArmorProfile`),
    ],
  }
}

function seccompProblems(profile: Draft | undefined, at: string): readonly FieldError[] {
  if (profile === undefined) return []
  const [type, local] = [textAt(profile, 'type') ?? '', textAt(profile, 'localhostProfile')]
  const place = `${at}.localhostProfile`
  const problems: FieldError[] = []
  if (type === '') problems.push(required(`${at}.type`, 'type is required when seccompProfile is set'))
  else if (!profileTypes.includes(type)) problems.push(notSupported(`${at}.type`, type, profileTypes))
  if (type === 'Localhost')
    return [
      ...problems,
      ...(local === undefined
        ? [required(place, 'must be set when seccomp type is Localhost')]
        : descendingProblems(local, place)),
    ]
  if (local === undefined) return problems
  return [...problems, invalid(place, printedStruct('SeccompProfile', profile), 'can only be set when seccomp type is Localhost')]
}

/** The length of a path in Linux, without its end. */
const longestProfileName = 4095

function appArmorProblems(profile: Draft | undefined, at: string): readonly FieldError[] {
  if (profile === undefined) return []
  const [type, local] = [textAt(profile, 'type') ?? '', textAt(profile, 'localhostProfile')]
  const place = `${at}.localhostProfile`
  if (type === '') return [required(`${at}.type`, 'type is required when appArmorProfile is set')]
  if (!profileTypes.includes(type)) return [notSupported(`${at}.type`, type, profileTypes)]
  if (type !== 'Localhost')
    return local === undefined ? [] : [invalid(place, local, 'can only be set when AppArmor type is Localhost')]
  if (local === undefined || local === '') return [required(place, 'must be set when AppArmor type is Localhost')]
  return [
    ...(local.trim() === local ? [] : [invalid(place, local, 'must not be padded with whitespace')]),
    ...(Buffer.byteLength(local) > longestProfileName ? [tooLong(place, longestProfileName)] : []),
  ]
}

const [largestCredentialKiB, longestDomain, longestUser] = [64, 256, 104]
const netBiosName = /^[^\\/:*?"<>|.][^\\/:*?"<>|]{0,14}$/
const domainLabel = '[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?'
const domainName = new RegExp(`^${domainLabel}(?:\\.${domainLabel})*$`)

function windowsProblems(options: Draft | undefined, at: string): readonly FieldError[] {
  const [name, spec, user] = ['gmsaCredentialSpecName', 'gmsaCredentialSpec', 'runAsUserName'].map(field =>
    textAt(options, field),
  )
  const credential = `${at}.gmsaCredentialSpec`
  return [
    ...(name === undefined
      ? []
      : dns1123SubdomainProblems(name).map(rule => invalid(`${at}.gmsaCredentialSpecName`, name, rule))),
    ...(spec === '' ? [invalid(credential, spec, 'gmsaCredentialSpec cannot be an empty string')] : []),
    ...(Buffer.byteLength(spec ?? '') > largestCredentialKiB * 1024
      ? [invalid(credential, spec, `gmsaCredentialSpec size must be under ${largestCredentialKiB} KiB`)]
      : []),
    ...(user === undefined ? [] : userRules(user).map(rule => invalid(`${at}.runAsUserName`, user, `runAsUserName${rule}`))),
  ]
}

/** What the name of a user of Windows breaks. */
function userRules(name: string): readonly string[] {
  const parts = name.split('\\')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(name)) return [' cannot contain control characters']
  if (name === '') return [' cannot be an empty string']
  if (parts.length > 2) return [' cannot contain more than one backslash']
  const [domain, user] = parts.length === 1 ? [undefined, name] : [parts[0] ?? '', parts[1] ?? '']
  const isDomain = domain === undefined || netBiosName.test(domain) || domainName.test(domain)
  return [
    ...((domain ?? '').length >= longestDomain ? [`'s Domain length must be under ${longestDomain} characters`] : []),
    ...(isDomain ? [] : ["'s Domain doesn't match the NetBios nor the DNS format"]),
    ...(user === '' ? ["'s User cannot be empty"] : []),
    ...(user.length > longestUser ? [`'s User length must not be longer than ${longestUser} characters`] : []),
    ...(/^[. ]+$/.test(user) ? ["'s User cannot contain only periods or spaces"] : []),
    ...(/["/\\:;|=,+*?<>@[\]]/.test(user) ? [`'s User cannot contain the following characters: "/\\:;|=,+*?<>@[]`] : []),
  ]
}

/** Claims that a container (or a pod) names among its resources: the pod must have them. */
export function resourceClaimProblems(
  resources: Draft | undefined,
  at: string,
  claims: readonly string[],
): readonly FieldError[] {
  const keys = new Set<string>()
  return itemsAt(resources, 'claims').flatMap((claim, index): readonly FieldError[] => {
    const place = `${at}.claims[${index}]`
    const [name, request] = [textAt(claim, 'name') ?? '', textAt(claim, 'request') ?? '']
    if (name === '') return [required(place)]
    const which = claims.length === 0 ? ' which is empty' : `: ${claims.toSorted().join(', ')}`
    const missing = `Not found: ${JSON.stringify(name)}: must be one of the names in pod.spec.resourceClaims${which}`
    const problems = repeatedProblems(name, request, place, keys)
    return [...problems, ...(claims.includes(name) ? [] : [{ type: 'FieldValueNotFound' as const, field: place, body: missing }])]
  })
}

/** A claim is named once as a whole, or each of its requests once. */
function repeatedProblems(name: string, request: string, place: string, keys: Set<string>): readonly FieldError[] {
  if (keys.has(name)) return [duplicate(place, name)]
  const key = request === '' ? name : `${name}/${request}`
  const isKnown = keys.has(key)
  const parts = request === '' && !isKnown ? [...keys].filter(known => known.startsWith(`${name}/`)) : []
  keys.add(key)
  return [
    ...(request === '' ? [] : dns1123LabelProblems(request).map(rule => invalid(`${place}.request`, request, rule))),
    ...(isKnown ? [duplicate(place, key)] : []),
    ...parts.map(() => duplicate(place, name)),
  ]
}
