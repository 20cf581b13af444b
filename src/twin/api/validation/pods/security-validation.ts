// Profiles of a pod or of a container, and which devices it names; in upstream's order and words.
import { duplicate, type FieldError, invalid, notSupported, required } from '#kube/objects/field-error.ts'
import { dns1123LabelProblems, dns1123SubdomainProblems } from '#kube/objects/names.ts'
import { type Draft, fieldsAt, itemsAt, textAt } from '../../../json-value.ts'

const profileTypes = ['Localhost', 'RuntimeDefault', 'Unconfined']

/** What is wrong with the profiles in a security context at `at`. */
export function profileProblems(context: Draft, at: string): readonly FieldError[] {
  return [
    ...seccompProblems(fieldsAt(context, 'seccompProfile'), `${at}.seccompProfile`),
    ...windowsProblems(fieldsAt(context, 'windowsOptions'), `${at}.windowsOptions`),
    ...appArmorProblems(fieldsAt(context, 'appArmorProfile'), `${at}.appArmorProfile`),
  ]
}

function seccompProblems(profile: Draft | undefined, at: string): readonly FieldError[] {
  if (profile === undefined) return []
  const [type, local] = [textAt(profile, 'type') ?? '', textAt(profile, 'localhostProfile')]
  return [
    ...(type === '' ? [required(`${at}.type`, 'type is required when seccompProfile is set')] : []),
    ...(type === '' || profileTypes.includes(type) ? [] : [notSupported(`${at}.type`, type, profileTypes)]),
    ...(type === 'Localhost' && local === undefined
      ? [required(`${at}.localhostProfile`, 'must be set when seccomp type is Localhost')]
      : []),
  ]
}

function appArmorProblems(profile: Draft | undefined, at: string): readonly FieldError[] {
  if (profile === undefined) return []
  const [type, local] = [textAt(profile, 'type') ?? '', textAt(profile, 'localhostProfile')]
  if (type === '') return [required(`${at}.type`, 'type is required when appArmorProfile is set')]
  if (!profileTypes.includes(type)) return [notSupported(`${at}.type`, type, profileTypes)]
  const isNeeded = type === 'Localhost' && (local ?? '').trim() === ''
  if (isNeeded) return [required(`${at}.localhostProfile`, 'must be set when AppArmor type is Localhost')]
  return type === 'Localhost' || local === undefined
    ? []
    : [invalid(`${at}.localhostProfile`, local, 'can only be set when AppArmor type is Localhost')]
}

function windowsProblems(options: Draft | undefined, at: string): readonly FieldError[] {
  const [name, spec, user] = ['gmsaCredentialSpecName', 'gmsaCredentialSpec', 'runAsUserName'].map(field =>
    textAt(options, field),
  )
  return [
    ...(name === undefined
      ? []
      : dns1123SubdomainProblems(name).map(rule => invalid(`${at}.gmsaCredentialSpecName`, name, rule))),
    ...(spec === '' ? [invalid(`${at}.gmsaCredentialSpec`, spec, 'gmsaCredentialSpec cannot be an empty string')] : []),
    ...(user === '' ? [invalid(`${at}.runAsUserName`, user, 'runAsUserName cannot be an empty string')] : []),
  ]
}

/** Claims that a container (or a pod) names among its resources: the pod must have them. */
export function resourceClaimProblems(
  resources: Draft | undefined,
  at: string,
  claims: readonly string[],
): readonly FieldError[] {
  const names = new Set<string>()
  return itemsAt(resources, 'claims').flatMap((claim, index): readonly FieldError[] => {
    const place = `${at}.claims[${index}]`
    const [name, request] = [textAt(claim, 'name') ?? '', textAt(claim, 'request') ?? '']
    const key = request === '' ? name : `${name}/${request}`
    const isRepeated = names.has(name) || names.has(key)
    names.add(key)
    const which = claims.length === 0 ? ' which is empty' : `: ${claims.toSorted().join(', ')}`
    const missing = `Not found: ${JSON.stringify(name)}: must be one of the names in pod.spec.resourceClaims${which}`
    return [
      ...(name === '' ? [required(place)] : isRepeated ? [duplicate(place, names.has(name) ? name : key)] : []),
      ...(name === '' || request === ''
        ? []
        : dns1123LabelProblems(request).map(rule => invalid(`${place}.request`, request, rule))),
      ...(claims.includes(name) ? [] : [{ type: 'FieldValueNotFound' as const, field: place, body: missing }]),
    ]
  })
}
