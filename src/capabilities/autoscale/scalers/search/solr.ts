// How many documents a query of Solr finds.
import { at } from '#kube/objects/object-fields.ts'
import { AnswerError } from '#kube/outside-error.ts'
import {
  defaulted,
  float,
  here,
  readParameters,
  required,
  secretOrHere,
  TriggerProblem,
  text,
} from '../../triggers/parameters.ts'
import { jsonOf, numberOf, urlOf } from '../outgoing.ts'
import { oneMetric, type ScalerKind } from '../scaler.ts'

const parameters = {
  host: required(text, here('address of the server, such as http://solr.search:8983')),
  collection: required(text, here('the collection')),
  query: defaulted(text, '*:*', here('what is looked for')),
  targetQueryValue: required(float, here('amount aimed at; not 0')),
  activationTargetQueryValue: defaulted(float, '0', here('active above it')),
  username: required(text, secretOrHere('of the user')),
  password: required(text, secretOrHere('of the user')),
}

export const solr: ScalerKind = {
  types: ['solr'],
  about: 'documents that a query of Solr finds',
  parameters,
  async open(trigger, { outgoing }) {
    const given = readParameters(parameters, trigger.given, 'solr')
    if (given.targetQueryValue === 0) throw new TriggerProblem('no targetQueryValue given')
    if (/[/\\]|^\.\.?$/.test(given.collection)) throw new TriggerProblem('collection: expected a name, without / and not . or ..')
    const url = new URL(urlOf(given.host))
    url.pathname = `${url.pathname.replace(/\/$/, '')}/solr/${encodeURIComponent(given.collection)}/select`
    url.search = new URLSearchParams({ q: given.query, wt: 'json' }).toString()
    const login = Buffer.from(`${given.username}:${given.password}`).toString('base64')
    const http = outgoing.http({})
    const read = async (signal: AbortSignal) => {
      const answer = await http.ask(url, { signal, headers: { authorization: `Basic ${login}` } })
      // A failure is JSON too, without what is looked for: it must not count as nothing found.
      if (answer.status !== 200) throw new AnswerError(`Solr answered with status ${answer.status}`)
      return numberOf(at(jsonOf(answer, 'Solr'), 'response', 'numFound'), 'numFound')
    }
    return oneMetric(trigger, {
      ...{ tail: 'solr', target: given.targetQueryValue, activation: given.activationTargetQueryValue, read },
      close: () => http[Symbol.asyncDispose](),
    })
  },
}
