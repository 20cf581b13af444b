// With which token and authority Prometheus is asked: looked up for each cycle, so that a rotated token holds in the next one.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Api } from '#kube/client/api.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isNotFound } from '#kube/objects/status.ts'
import type { PrometheusProvider } from '../policy/args.ts'
import { StrategyError } from '../strategy-error.ts'
import type { PrometheusAccess } from './prometheus-query.ts'

/** The key of the Secret, upstream's. */
const tokenKey = 'prometheusAuthToken'

interface Secret extends KubeObject {
  readonly data?: Readonly<Record<string, unknown>>
}

interface Surroundings {
  readonly api: Api
  readonly log: Log
  readonly serviceAccountDirectory: string
}

/** @throws StrategyError where a Secret is named and holds no token; `signal.reason` */
export async function prometheusAccess(
  { url, tokenSecret }: PrometheusProvider,
  around: Surroundings,
  signal: AbortSignal,
): Promise<PrometheusAccess> {
  const authority = await textIn(around, 'ca.crt')
  const token = tokenSecret === undefined ? await ownToken(url, around) : await secretToken(tokenSecret, around.api, signal)
  return { url, ...(token !== undefined && { token }), ...(authority !== undefined && { authority }) }
}

/** That of the service account, where there is one and nobody can read it on its way. */
async function ownToken(url: string, around: Surroundings): Promise<string | undefined> {
  const text = await textIn(around, 'token')
  if (text === undefined) return undefined
  if (new URL(url).protocol === 'https:') return sendable(text, "the service account's token")
  around.log.debug({}, "Prometheus is asked without the service account's token: the address is not https")
  return undefined
}

async function secretToken(
  { namespace, name }: NonNullable<PrometheusProvider['tokenSecret']>,
  api: Api,
  signal: AbortSignal,
): Promise<string> {
  const secret = await api
    .resource<Secret>(builtIn.secrets)
    .get(name, { namespace, signal })
    .catch((error: unknown) => {
      signal.throwIfAborted()
      throw new StrategyError(`unable to get ${namespace}/${name} secret: ${isNotFound(error) ? 'not found' : messageOf(error)}`)
    })
  const data: unknown = secret.data?.[tokenKey]
  const text = typeof data === 'string' ? Buffer.from(data, 'base64').toString('utf8') : ''
  if (text.trim() === '') throw new StrategyError(`prometheus authentication token secret missing "${tokenKey}" data or empty`)
  return sendable(text, `"${tokenKey}" of secret ${namespace}/${name}`)
}

/** Without the line end that files have. @throws StrategyError for what no header can hold */
function sendable(text: string, whose: string): string {
  const token = text.trim()
  if (!/^[\x21-\x7e]+$/.test(token)) throw new StrategyError(`${whose} has characters that no token has`)
  return token
}

async function textIn({ serviceAccountDirectory, log }: Surroundings, file: string): Promise<string | undefined> {
  const path = join(serviceAccountDirectory, file)
  try {
    const text = await readFile(path, 'utf8')
    return text.trim() === '' ? undefined : text
  } catch (error) {
    log.debug({ path, why: messageOf(error) }, 'not in a pod: Prometheus is asked without it')
    return undefined
  }
}
