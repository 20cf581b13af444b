// How many jobs of GitHub Actions wait for runners with these labels, or run on them.

import type { Clock } from '#kube/clock.ts'
import { at, listAt, numberAt, textAt } from '#kube/objects/object-fields.ts'
import { AnswerError, OutsideError } from '#kube/outside-error.ts'
import {
  boolean,
  defaulted,
  hereOrEnv,
  integer,
  listOf,
  oneOf,
  optional,
  readParameters,
  required,
  secret,
  TriggerProblem,
  text,
} from '../../triggers/parameters.ts'
import { authParameters } from '../http-auth.ts'
import { urlOf } from '../outgoing.ts'
import { oneMetric, type ScalerKind } from '../scaler.ts'
import { appKeyOf, GithubApi, type GithubApp, RateLimited } from './github-api.ts'

const parameters = {
  githubApiURL: defaulted(text, 'https://api.github.com', hereOrEnv("of GitHub's API")),
  owner: required(text, hereOrEnv('whose repositories they are')),
  runnerScope: required(oneOf('org', 'ent', 'repo'), hereOrEnv('what the owner is; repo is a user')),
  repos: optional(listOf(text), hereOrEnv('between commas; without it all of the owner')),
  labels: optional(listOf(text), hereOrEnv('of the runners, between commas')),
  noDefaultLabels: defaulted(boolean, 'false', hereOrEnv('runners have not self-hosted, linux and x64 by themselves')),
  matchUnlabeledJobsWithUnlabeledRunners: defaulted(
    boolean,
    'false',
    hereOrEnv('a job without labels is for runners without labels only'),
  ),
  enableEtags: defaulted(boolean, 'false', hereOrEnv('what did not change does not count against the limit of GitHub')),
  targetWorkflowQueueLength: defaulted(integer, '1', hereOrEnv('amount aimed at, and active from it on')),
  applicationID: defaulted(integer, '0', hereOrEnv('of a GitHub App, with installationID and appKey')),
  installationID: defaulted(integer, '0', hereOrEnv('of a GitHub App')),
  appKey: optional(text, secret('of a GitHub App, PEM')),
  personalAccessToken: optional(text, secret('in place of a GitHub App')),
  authModes: authParameters.authModes,
  bearerToken: authParameters.bearerToken,
}

type Given = ReturnType<typeof readParameters<typeof parameters>>

/** A page of repositories has as many. */
const pageLength = 30
const mostPages = 100
/** Questions of one look. */
const mostQuestions = 2_000
/** One look, whatever each of its questions takes. */
const longestLookMs = 300_000

export const githubRunner: ScalerKind = {
  types: ['github-runner'],
  about: 'jobs of GitHub Actions that wait for runners, or run on them',
  parameters,
  async open(trigger, { outgoing, clock }) {
    const given = readParameters(parameters, trigger.given, 'github-runner')
    const { enableEtags: remembers, targetWorkflowQueueLength: target } = given
    const proof = proofOf(given)
    const base = urlOf(given.githubApiURL)
    const http = outgoing.http({})
    const api = new GithubApi({ base, http, clock, proof, remembers })
    let last: number | undefined
    const read = async (signal: AbortSignal) => {
      try {
        if (api.isLimited) throw new RateLimited('GitHub API rate limit exceeded')
        last = await jobsOf(api, given, clock, signal)
      } catch (error) {
        signal.throwIfAborted()
        if (!api.isLimited) throw error
        if (last === undefined) throw new RateLimited('GitHub API rate limit exceeded. No cached queue length available')
      }
      return { value: last, isActive: last >= target }
    }
    return oneMetric(trigger, {
      ...{ tail: `github-runner-${given.owner}`, target, activation: 0, read },
      close: () => http[Symbol.asyncDispose](),
    })
  },
}

function proofOf({
  authModes = [],
  bearerToken,
  personalAccessToken,
  appKey,
  applicationID,
  installationID,
}: Given): string | GithubApp {
  const refuse = (message: string): never => {
    throw new TriggerProblem(message)
  }
  const foreign = authModes.find(mode => mode !== 'bearer')
  if (foreign !== undefined) refuse(`authModes ${foreign} is not known to this scaler`)
  const token = authModes.includes('bearer') ? (bearerToken ?? personalAccessToken) : personalAccessToken
  if (authModes.includes('bearer') && token === undefined) refuse('bearerToken is required when bearer auth is enabled')
  if (appKey === undefined && token === undefined) refuse('no personalAccessToken/bearerToken or appKey given')
  const saysApp = applicationID !== 0 || installationID !== 0 || appKey !== undefined
  if (!saysApp) return token ?? ''
  if (applicationID === 0) refuse('no applicationID given')
  if (installationID === 0) refuse('no installationID given')
  return { applicationId: applicationID, installationId: installationID, key: appKeyOf(appKey ?? refuse('no appKey given')) }
}

async function jobsOf(api: GithubApi, given: Given, clock: Clock, signal: AbortSignal): Promise<number> {
  const startedMs = clock.elapsed()
  let questions = 0
  const ask = async (path: string) => {
    if (++questions > mostQuestions)
      throw new AnswerError(`more than ${mostQuestions} questions for one look: name fewer repositories`)
    if (clock.elapsed() - startedMs > longestLookMs)
      throw new OutsideError(`GitHub: one look took more than ${longestLookMs / 1_000} s: name fewer repositories`)
    return await api.ask(path, signal)
  }
  const owner = encodeURIComponent(given.owner)
  let jobs = 0
  for (const repo of given.repos ?? (await repositoriesOf(ask, given))) {
    for (const status of ['queued', 'in_progress']) {
      const path = `/repos/${owner}/${encodeURIComponent(repo)}/actions/runs?status=${status}&per_page=100`
      const answer = await ask(path)
      // There is none, or it is none of ours.
      if (answer === undefined) continue
      for (const run of listOfAnswer(answer, 'workflow_runs').filter(isWaiting)) {
        const [name, id] = [textAt(run, 'repository', 'name') ?? repo, numberAt(run, 'id')]
        if (id === undefined) throw new AnswerError('a run of GitHub has no id')
        const found = await ask(`/repos/${owner}/${encodeURIComponent(name)}/actions/runs/${id}/jobs?per_page=100`)
        if (found === undefined) throw new AnswerError('the GitHub REST API answered with status 404')
        jobs += listOfAnswer(found, 'jobs').filter(job => isWaiting(job) && fits(labelsOf(job), given)).length
      }
    }
  }
  return jobs
}

function listOfAnswer(answer: unknown, field: string): readonly unknown[] {
  const found = at(answer, field)
  if (!Array.isArray(found)) throw new AnswerError(`GitHub answered without ${field}`)
  return found
}

const isWaiting = (one: unknown): boolean => ['queued', 'in_progress'].includes(textAt(one, 'status') ?? '')
const labelsOf = (job: unknown): readonly string[] => listAt(job, 'labels').map(String)

async function repositoriesOf(
  ask: (path: string) => Promise<unknown>,
  { owner, runnerScope }: Given,
): Promise<readonly string[]> {
  const place = `/${runnerScope === 'repo' ? 'users' : 'orgs'}/${encodeURIComponent(owner)}/repos`
  const names: string[] = []
  for (let page = 1; page <= mostPages; page++) {
    const found = await ask(`${place}?page=${page}`)
    if (found === undefined) throw new AnswerError('the GitHub REST API answered with status 404')
    if (!Array.isArray(found)) throw new AnswerError('GitHub answered without a list of repositories')
    for (const one of found) names.push(textAt(one, 'name') ?? '')
    if (found.length < pageLength) return names
  }
  throw new AnswerError(`more than ${mostPages} pages of repositories: name those that count in repos`)
}

const ownLabels = ['self-hosted', 'linux', 'x64']

/** Whether a runner with these labels may take a job with those. */
function fits(jobLabels: readonly string[], { labels = [], noDefaultLabels, ...given }: Given): boolean {
  if (given.matchUnlabeledJobsWithUnlabeledRunners && jobLabels.length === 0) return labels.length === 0
  const all = new Set([...labels, ...(noDefaultLabels ? [] : ownLabels)].map(label => label.toLowerCase()))
  return jobLabels.every(label => all.has(label.toLowerCase()))
}
