// A number in what a search of Elasticsearch finds.
import { listOf, optional, readParameters, secretOrHere, TriggerProblem, text } from '../../triggers/parameters.ts'
import { oneMetric, type ScalerKind } from '../scaler.ts'
import { basicHeader, clusterAddresses, searching, searchOf, searchParameters } from './search-engine.ts'

const parameters = {
  addresses: optional(listOf(text), secretOrHere('of its servers, between commas; with username and password')),
  cloudID: optional(text, secretOrHere('of Elastic Cloud, in place of addresses; with apiKey')),
  apiKey: optional(text, secretOrHere('of Elastic Cloud')),
  ...searchParameters,
}

export const elasticsearch: ScalerKind = {
  types: ['elasticsearch'],
  about: 'a number in what a search of Elasticsearch finds',
  parameters,
  async open(trigger, { outgoing }) {
    const given = readParameters(parameters, trigger.given, 'elasticsearch')
    const { cloudID, apiKey, username, password } = checked(given)
    const search = searchOf(given)
    const isCloud = cloudID !== undefined
    const addresses = clusterAddresses(isCloud ? [cloudAddress(cloudID)] : (given.addresses ?? []))
    const headers = isCloud ? { authorization: `ApiKey ${apiKey}` } : basicHeader(username ?? '', password ?? '')
    const http = outgoing.http({ isInsecure: given.unsafeSsl })
    const tail = given.searchTemplateName === undefined ? 'query' : given.searchTemplateName
    return oneMetric(trigger, {
      ...{ tail: `elasticsearch-${tail}`, target: given.targetValue, activation: given.activationTargetValue },
      read: searching({ http, addresses, headers, who: 'elasticsearch' }, search),
      close: () => http[Symbol.asyncDispose](),
    })
  },
}

type Given = ReturnType<typeof readParameters<typeof parameters>>

function checked(given: Given): Given {
  const { cloudID, apiKey, addresses, username, password } = given
  const refuse = (message: string): never => {
    throw new TriggerProblem(message)
  }
  const saysCloud = cloudID !== undefined || apiKey !== undefined
  const saysServers = addresses !== undefined || username !== undefined || password !== undefined
  if (saysCloud && saysServers) refuse("can't provide both cloud config and endpoint addresses")
  if (!saysCloud && !saysServers) refuse('must provide either cloud config or endpoint addresses')
  if (saysCloud && (cloudID === undefined || apiKey === undefined))
    refuse('both cloudID and apiKey must be provided when cloudID or apiKey is used')
  if (addresses !== undefined && (username === undefined || password === undefined))
    refuse('both username and password must be provided when addresses is used')
  if (!saysCloud && addresses === undefined) refuse('addresses must be provided with username and password')
  return given
}

/** `name:base64(host$id$…)`. */
function cloudAddress(cloudID: string): string {
  const [, coded = ''] = /^[^:]*:([A-Za-z0-9+/]+=*)$/.exec(cloudID) ?? []
  const [host = '', id = ''] = Buffer.from(coded, 'base64').toString().split('$')
  const address = `https://${id}.${host}`
  if (host === '' || id === '' || !URL.canParse(address))
    throw new TriggerProblem('cloudID cannot be read: expected name:text, as Elastic Cloud shows it')
  return address
}
