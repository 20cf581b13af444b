// What is refused of authentications and of sources of cloud events, in upstream's words. Pure.
import { type CloudEventSource, eventTypes } from '../kinds/cloud-event-source.ts'
import type { TriggerAuthenticationSpec } from '../kinds/trigger-authentication.ts'

/** Why credentials could never be had by `spec`; undefined: nothing is known against it. */
export function authenticationProblem(spec: Partial<TriggerAuthenticationSpec>): string | undefined {
  const { podIdentity, azureServicePrincipal } = spec
  const principal = azureServicePrincipal === undefined ? undefined : principalProblem(azureServicePrincipal)
  if (principal !== undefined) return principal
  if (podIdentity !== undefined) {
    const identity = identityProblem(podIdentity)
    if (identity !== undefined) return identity
    // Upstream's: with another identity nothing more is looked at.
    if (podIdentity.provider !== 'azure-workload' && podIdentity.provider !== 'aws') return undefined
  }
  return spec.oauth2 === undefined ? undefined : oauthProblem(spec.oauth2)
}

type Identity = NonNullable<TriggerAuthenticationSpec['podIdentity']>

function identityProblem(identity: Identity): string | undefined {
  const { provider, identityId, identityTenantId, identityAuthorityHost = '', roleArn = '', externalID = '' } = identity
  if (provider === 'azure-workload') {
    if (identityId === '')
      return 'identityId of PodIdentity should not be empty. If it\'s set, identityId has to be different than ""'
    if (identityAuthorityHost !== '')
      return identityTenantId === undefined || identityTenantId === ''
        ? 'identityTenantID of PodIdentity should not be nil or empty when identityAuthorityHost of PodIdentity is set'
        : undefined
    return identityTenantId === ''
      ? 'identityTenantId of PodIdentity should not be empty. If it\'s set, identityTenantId has to be different than ""'
      : undefined
  }
  if (provider !== 'aws') return undefined
  if (roleArn !== '' && identity.identityOwner === 'workload')
    return "roleArn of PodIdentity can't be set if KEDA isn't identityOwner"
  return externalID !== '' && roleArn === '' ? 'externalID of PodIdentity requires roleArn to be set' : undefined
}

function oauthProblem({ type, clientId, tokenUrl }: NonNullable<TriggerAuthenticationSpec['oauth2']>): string | undefined {
  const given: string | undefined = type
  if (given !== undefined && given !== 'clientCredentials') return `oauth2.type must be 'clientCredentials', got '${given}'`
  if (clientId === '') return 'oauth2.clientId is required when oauth2 is configured'
  if (tokenUrl === '') return 'oauth2.tokenUrl is required when oauth2 is configured'
  const url = URL.canParse(tokenUrl) ? new URL(tokenUrl) : undefined
  const isGood = url !== undefined && /^https?:$/.test(url.protocol) && url.host !== '' && /^https?:\/\//i.test(tokenUrl)
  return isGood ? undefined : 'oauth2.tokenUrl must be a valid http or https URL'
}

function principalProblem(of: NonNullable<TriggerAuthenticationSpec['azureServicePrincipal']>): string | undefined {
  const name = 'azureServicePrincipal'
  if (of.tenantId === '') return `${name}.tenantId is required when ${name} is configured`
  if (of.clientId === '') return `${name}.clientId is required when ${name} is configured`
  if (of.clientSecret !== undefined && of.clientCertificate !== undefined)
    return `${name}.clientSecret and ${name}.clientCertificate are mutually exclusive`
  if (of.clientSecret === undefined && of.clientCertificate === undefined)
    return `${name} requires either clientSecret or clientCertificate`
  if (of.clientCertificatePassword !== undefined && of.clientCertificate === undefined)
    return `${name}.clientCertificatePassword requires clientCertificate`
  const isPrivate = of.cloud?.toLowerCase() === 'private'
  const endpoint = of.activeDirectoryEndpoint ?? ''
  if (isPrivate && endpoint === '') return `${name}.activeDirectoryEndpoint is required when cloud is Private`
  if (!isPrivate && endpoint !== '') return `${name}.activeDirectoryEndpoint can only be set when cloud is Private`
  return undefined
}

/** Why nobody could be told of events by `spec`; undefined: nothing is known against it. */
export function eventSourceProblem({ eventSubscription }: Partial<CloudEventSource['spec']>): string | undefined {
  const { includedEventTypes, excludedEventTypes } = eventSubscription ?? {}
  if (includedEventTypes !== undefined && excludedEventTypes !== undefined)
    return 'setting included types and excluded types at the same time is not supported'
  const unknown = (name: string, types: readonly string[] = []) => {
    const found = types.find(type => !eventTypes.includes(type))
    return found === undefined ? undefined : `${name}: ${found} in cloudeventsource/clustercloudeventsource spec is not supported`
  }
  return unknown('excludedEventType', excludedEventTypes) ?? unknown('includedEventType', includedEventTypes)
}
