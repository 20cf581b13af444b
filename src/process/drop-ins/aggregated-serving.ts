// A server of an API behind the API server as the flags of programs of Go set it: its certificate from files or its own, whom it believes from
// flags besides the cluster's ConfigMap, all of it read again when it changes.
import type { Registry } from 'prom-client'
import type { Api } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import { Informers } from '#kube/informers/informer.ts'
import type { Log } from '#kube/log.ts'
import type { Random } from '#kube/random.ts'
import { type AggregatedServer, startAggregatedServer } from '#kube/server/aggregated-server.ts'
import { namesOf } from '#kube/server/certificates.ts'
import type { GivenTrust } from '#kube/server/client-trust.ts'
import type { HealthCheck } from '#kube/server/health.ts'
import { ServedMetrics } from '#kube/server/served-metrics.ts'
import { followAuthorities } from '#kube/server/serving/followed-texts.ts'
import type { NamedPair } from '#kube/server/serving/named-pairs.ts'
import { servingPair, watchedPair } from '#kube/server/serving/serving-pair.ts'
import { tlsSettings } from '#kube/server/serving/tls-settings.ts'
import type { AuthenticationSettings, AuthorizationSettings, ServingSettings } from './aggregated-flags.ts'

type ServerOptions = Parameters<typeof startAggregatedServer>[0]

interface ServeOptions
  extends Pick<ServerOptions, 'apis' | 'version'>,
    Required<Pick<ServerOptions, 'ready' | 'probes' | 'title'>> {
  readonly settings: {
    readonly serving: ServingSettings
    readonly authentication: AuthenticationSettings
    readonly authorization: AuthorizationSettings
  }
  /** Who calls is asked there, and whom to believe is read. */
  readonly authenticationApi: Api
  readonly authorizationApi: Api
  readonly registry: Registry
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/** As in programs of Go: `localhost` on every address, for a year. */
const ownPair = {
  name: 'localhost',
  dnsNames: ['localhost'],
  ipAddresses: ['127.0.0.1'],
  lifeMs: 365 * 86_400_000,
  isWritten: true,
}

/** Listens until it is disposed of; what it follows is on `stack`, and ends with `signal`. @throws InputError where files of flags cannot be used; Error where the port is taken */
export async function serveByFlags(
  options: ServeOptions,
  signal: AbortSignal,
  stack: AsyncDisposableStack,
): Promise<AggregatedServer> {
  const { apis, settings, registry, clock, random, log } = options
  const { serving, authentication, authorization } = settings
  const { unavailable, ...wire } = tlsSettings(serving)
  if (unavailable.length > 0)
    log.warn({ cipherSuites: unavailable.join(',') }, 'cipher suites that no TLS library has any more are left out')
  const pair = stack.use(await servingPair(serving, ownPair, { clock, log }))
  const named = await namedPairs(options, stack)
  const state: { server: AggregatedServer | undefined } = { server: undefined }
  const follow = stack.use(
    await followAuthorities({
      files: authorityFiles(authentication),
      clock,
      log,
      onChange: texts => state.server?.setGivenTrust(givenTrust(authentication, texts)),
    }),
  )
  const trusted = stack.use(new Informers(options.authenticationApi, { clock, random, log, signal }))
  const server = await startAggregatedServer({
    apis,
    tls: pair.current,
    wire,
    ...(named.length === 0 ? {} : { namedPairs: () => named.map(({ current, names }) => ({ pair: current(), names: names() })) }),
    port: serving.port,
    ...(serving.address !== '0.0.0.0' && serving.address !== '' && { host: serving.address }),
    api: options.authenticationApi,
    informers: trusted,
    trust: { lookup: authentication.lookup, given: givenTrust(authentication, follow.texts) },
    reviews: {
      accessApi: options.authorizationApi,
      lives: { tokenMs: authentication.tokenMs, allowedMs: authorization.allowedMs, refusedMs: authorization.refusedMs },
    },
    openPaths: authorization.alwaysAllowPaths,
    clock,
    random,
    log,
    ready: options.ready,
    probes: options.probes,
    metrics: registry,
    served: new ServedMetrics(registry),
    version: options.version,
    title: options.title,
    headers: serving.headers,
    limits: { answerMs: serving.requestTimeoutMs, inFlight: serving.inFlight },
  })
  state.server = server
  pair.onChange(changed => server.setCertificate(changed))
  log.info({ address: serving.address, port: server.port, isSelfSigned: pair.isOwn }, 'Serving securely')
  return server
}

const fine = (name: string): HealthCheck => ({ name, check: () => undefined })
/** Names that users' probes read. */
export const begun = [
  fine('ping'),
  fine('log'),
  fine('poststarthook/max-in-flight-filter'),
  fine('poststarthook/storage-object-count-tracker-hook'),
]

interface NamedPairNow {
  readonly current: () => NamedPair['pair']
  readonly names: () => readonly string[]
}

async function namedPairs(
  { settings: { serving }, clock, log }: ServeOptions,
  stack: AsyncDisposableStack,
): Promise<readonly NamedPairNow[]> {
  const found: NamedPairNow[] = []
  for (const { certificateFile, keyFile, names } of serving.named) {
    const pair = stack.use(await watchedPair({ certificate: certificateFile, key: keyFile }, { clock, log }))
    const ownNames = () => namesOf(pair.current.certificate).dnsNames ?? []
    found.push({ current: () => pair.current, names: () => (names.length > 0 ? names : ownNames()) })
  }
  return found
}

function authorityFiles({ clientAuthorityFile, frontProxy }: AuthenticationSettings) {
  const files: Record<string, { readonly path: string; readonly flag: string }> = {}
  if (clientAuthorityFile !== '') files['client-ca-file'] = { path: clientAuthorityFile, flag: '--client-ca-file' }
  if (frontProxy.authorityFile !== '')
    files['requestheader-client-ca-file'] = { path: frontProxy.authorityFile, flag: '--requestheader-client-ca-file' }
  return files
}

/** By the keys of the ConfigMap. */
function givenTrust({ frontProxy }: AuthenticationSettings, texts: GivenTrust): GivenTrust {
  return {
    ...texts,
    'requestheader-allowed-names': JSON.stringify(frontProxy.allowedNames),
    'requestheader-username-headers': JSON.stringify(frontProxy.usernameHeaders),
    'requestheader-group-headers': JSON.stringify(frontProxy.groupHeaders),
    'requestheader-uid-headers': JSON.stringify(frontProxy.uidHeaders),
    'requestheader-extra-headers-prefix': JSON.stringify(frontProxy.extraPrefixes),
  }
}
