// A number in what a search of OpenSearch finds.
import {
  boolean,
  defaulted,
  hereOrSecret,
  listOf,
  optional,
  readParameters,
  required,
  secretOrHere,
  TriggerProblem,
  text,
} from '../../triggers/parameters.ts'
import { oneMetric, type ScalerKind } from '../scaler.ts'
import { basicHeader, clusterAddresses, searching, searchOf, searchParameters } from './search-engine.ts'

const parameters = {
  addresses: required(listOf(text), secretOrHere('of its servers, between commas')),
  enableTLS: defaulted(boolean, 'false', hereOrSecret('a certificate is shown in place of username and password')),
  caCert: optional(text, secretOrHere('whom we trust, PEM')),
  clientCert: optional(text, secretOrHere('PEM')),
  clientKey: optional(text, secretOrHere('PEM')),
  ...searchParameters,
}

export const opensearch: ScalerKind = {
  types: ['opensearch'],
  about: 'a number in what a search of OpenSearch finds',
  parameters,
  async open(trigger, { outgoing }) {
    const given = readParameters(parameters, trigger.given, 'opensearch')
    const { enableTLS, clientCert, clientKey, username, password } = given
    if (enableTLS && (clientCert === undefined || clientKey === undefined))
      throw new TriggerProblem('both clientCert and clientKey must be provided when enableTLS is true')
    if (!enableTLS && (username === undefined || password === undefined))
      throw new TriggerProblem('both username and password must be provided for basic auth')
    const search = searchOf(given)
    const addresses = clusterAddresses(given.addresses)
    const http = outgoing.http({
      ...{ isInsecure: given.unsafeSsl, authority: given.caCert },
      ...(enableTLS ? { certificate: clientCert, key: clientKey } : {}),
    })
    const tail = given.searchTemplateName === undefined ? 'query' : given.searchTemplateName
    const headers = enableTLS ? {} : basicHeader(username ?? '', password ?? '')
    return oneMetric(trigger, {
      ...{ tail: `opensearch-${tail}`, target: given.targetValue, activation: given.activationTargetValue },
      read: searching({ http, addresses, headers, who: 'opensearch' }, search),
      close: () => http[Symbol.asyncDispose](),
    })
  },
}
