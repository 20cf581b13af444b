// How many jobs wait for runners of Forgejo with these labels.
import { AnswerError } from '#kube/outside-error.ts'
import { boolean, defaulted, here, optional, readParameters, required, secretOrEnv, text } from '../../triggers/parameters.ts'
import { jsonOf, urlOf } from '../outgoing.ts'
import { oneMetric, type ScalerKind } from '../scaler.ts'

const parameters = {
  address: required(text, here('of the server, such as https://code.example.org')),
  labels: required(text, here('of the runners, between commas')),
  token: required(text, secretOrEnv('of a user who may see the jobs')),
  global: defaulted(boolean, 'false', here('jobs of the whole server')),
  owner: optional(text, here('with repo: jobs of one repository')),
  repo: optional(text, here('with owner: jobs of one repository')),
  org: optional(text, here('jobs of an organization')),
}

type Given = ReturnType<typeof readParameters<typeof parameters>>

export const forgejoRunner: ScalerKind = {
  types: ['forgejo-runner'],
  about: 'jobs that wait for runners of Forgejo',
  parameters,
  async open(trigger, { outgoing }) {
    const given = readParameters(parameters, trigger.given, 'forgejo-runner')
    const url = new URL(urlOf(given.address))
    url.pathname = `${url.pathname.replace(/\/$/, '')}/api/v1/${placeOf(given)}/runners/jobs`
    url.search = new URLSearchParams({ labels: given.labels }).toString()
    const http = outgoing.http({})
    const read = async (signal: AbortSignal) => {
      const answer = await http.ask(url, { signal, headers: { authorization: `token ${given.token}` } })
      if (answer.status !== 200) throw new AnswerError(`Forgejo answered with status ${answer.status}`)
      const jobs = jsonOf(answer, 'Forgejo')
      // It says null where there is none.
      if (jobs === null) return 0
      if (!Array.isArray(jobs)) throw new AnswerError('Forgejo answered without a list of jobs')
      return jobs.length
    }
    return oneMetric(trigger, {
      ...{ tail: 'forgejo', target: 1, activation: 0, read },
      close: () => http[Symbol.asyncDispose](),
    })
  },
}

function placeOf({ owner, repo, org, global }: Given): string {
  if (owner !== undefined && repo !== undefined) return `repos/${encodeURIComponent(owner)}/${encodeURIComponent(repo)}/actions`
  if (org !== undefined) return `orgs/${encodeURIComponent(org)}/actions`
  return global ? 'admin' : 'user/actions'
}
