// The command line of upstream's v1.4.21 and of its second version, flag by flag (config-reload.md §2.5), and what becomes of the values.
import { Command } from 'commander'
import { describe, expect, test } from 'vitest'
import { systemClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import { ConfigurationFile } from '#process/configuration/configuration-file.ts'
import { enabledCapabilities } from '#process/enabled-capabilities.ts'
import { commandOption, type FlagValue, reloaderFlags } from './reloader-flags.ts'
import { reloaderLog, reloaderSettings } from './reloader-settings.ts'

// biome-ignore format: a table
const upstream: readonly (readonly [flag: string, standard: string | boolean | undefined])[] = [
  ['auto-reload-all', false],
  ['reload-strategy', 'env-vars'],
  ['reload-on-create', 'false'],
  ['reload-on-delete', 'false'],
  ['sync-after-restart', false],
  ['is-Argo-Rollouts', 'false'],
  ['enable-csi-integration', false],
  ['resources-to-ignore', undefined],
  ['ignored-workload-types', undefined],
  ['namespaces', undefined],
  ['namespaces-to-ignore', undefined],
  ['namespace-selector', undefined],
  ['resource-label-selector', undefined],
  ['webhook-url', undefined],
  ['enable-ha', false],
  ['log-format', undefined],
  ['log-level', 'info'],
  ['enable-pprof', false],
  ['pprof-addr', ':6060'],
  ['auto-annotation', 'reloader.stakater.com/auto'],
  ['configmap-auto-annotation', 'configmap.reloader.stakater.com/auto'],
  ['secret-auto-annotation', 'secret.reloader.stakater.com/auto'],
  ['configmap-annotation', 'configmap.reloader.stakater.com/reload'],
  ['secret-annotation', 'secret.reloader.stakater.com/reload'],
  ['auto-search-annotation', 'reloader.stakater.com/search'],
  ['search-match-annotation', 'reloader.stakater.com/match'],
  ['ignore-annotation', 'reloader.stakater.com/ignore'],
  ['pause-deployment-annotation', 'deployment.reloader.stakater.com/pause-period'],
  ['pause-deployment-time-annotation', 'deployment.reloader.stakater.com/paused-at'],
  ['is-argo-rollouts', 'false'],
  ['metrics-addr', ':9090'],
  ['health-addr', undefined],
  ['watch-namespace', undefined],
  ['is-openshift', 'auto'],
  ['leader-election-id', 'stakater-reloader-lock'],
  ['leader-election-namespace', undefined],
  ['leader-election-lease-duration', '15s'],
  ['leader-election-renew-deadline', '10s'],
  ['leader-election-retry-period', '2s'],
  ['leader-election-release-on-cancel', true],
  ['alert-on-reload', false],
  ['alert-webhook-url', undefined],
  ['alert-sink', undefined],
  ['alert-proxy', undefined],
  ['alert-additional-info', undefined],
  ['alert-structured', false],
]

const ours: readonly (readonly [flag: string, standard: string | boolean])[] = [
  ['debounce', '2s'],
  ['rate-guard', true],
]

test('every flag of upstream is there with its default, two of ours, and no other', () => {
  const options = reloaderFlags.map(commandOption).map(option => [option.long?.slice(2), option.defaultValue])
  expect(Object.fromEntries(options)).toEqual(Object.fromEntries([...upstream, ...ours]))
})

/** The flags of a command line, by name. */
function given(line: readonly string[]): ReadonlyMap<string, FlagValue> {
  const command = new Command('reloader').exitOverride().configureOutput({ writeErr: () => undefined })
  for (const flag of reloaderFlags) command.addOption(commandOption(flag))
  command.parse([...line], { from: 'user' })
  const taken = command.options.filter(option => command.getOptionValueSource(option.attributeName()) === 'cli')
  return new Map(taken.map(option => [option.long?.slice(2) ?? '', command.getOptionValue(option.attributeName())]))
}

const place = { hostName: 'host', namespace: 'default' }

/** Reload's section of the configuration that a command line and an environment make. */
function configured(line: readonly string[], environment: Readonly<Record<string, string>> = {}) {
  const { overrides, ...settled } = reloaderSettings(given(line), environment, place)
  const file = { path: undefined, overrides, capabilities: enabledCapabilities, clock: systemClock, log: silentLog }
  using settings = new ConfigurationFile(file)
  return { ...settled, process: settings.process, config: settings.current.capabilities['reload']?.config }
}

describe('values', () => {
  // biome-ignore format: a table
  test.each([
    [['--auto-reload-all'], { autoReloadAll: true }],
    [['--auto-reload-all=false'], { autoReloadAll: false }],
    [['--auto-reload-all=T'], { autoReloadAll: true }],
    [['--reload-on-create=true', '--reload-on-delete', 'true'], { reloadOnCreate: true, reloadOnDelete: true }],
    [['--reload-on-create=True', '--reload-on-delete=1'], { reloadOnCreate: false, reloadOnDelete: false }],
    [['--is-Argo-Rollouts=true'], { argoRollouts: true }],
    [['--is-argo-rollouts=true'], { argoRollouts: true }],
    [['--is-Argo-Rollouts=yes'], { argoRollouts: false }],
    [['--reload-strategy', 'annotations'], { reloadStrategy: 'annotations' }],
    [['--enable-csi-integration', '--sync-after-restart'], { csiIntegration: true, syncAfterRestart: true }],
    [['--resources-to-ignore=configMaps'], { resourcesToIgnore: ['configmaps'] }],
    [['--ignored-workload-types=jobs,cronjobs'], { ignoredWorkloadTypes: ['jobs', 'cronjobs'] }],
    [['--ignored-workload-types=jobs', '--ignored-workload-types', 'cronjobs'], { ignoredWorkloadTypes: ['jobs', 'cronjobs'] }],
    [['--namespaces-to-ignore=kube-system,kube-public'], { namespacesToIgnore: ['kube-system', 'kube-public'] }],
    [['--namespaces=a,b'], { namespaces: ['a', 'b'] }],
    [['--watch-namespace=a'], { namespaces: ['a'] }],
    [['--namespace-selector="k in (a,b)"'], { namespaceSelector: 'k in (a,b)' }],
    [['--namespace-selector="k in (a,b),x=y"', '--namespace-selector', 'z'], { namespaceSelector: 'k in (a,b),x=y,z' }],
    [['--resource-label-selector=team:web,tier:*'], { resourceLabelSelector: 'team:web,tier:*' }],
    [['--webhook-url=https://hook.example/x'], { webhookUrl: 'https://hook.example/x' }],
    [['--auto-annotation=my/auto', '--pause-deployment-time-annotation=my/at'], { annotations: { auto: 'my/auto', pauseTime: 'my/at', search: 'reloader.stakater.com/search' } }],
    [['--alert-on-reload', '--alert-sink=Slack', '--alert-webhook-url=https://chat.example', '--alert-additional-info=home'], { alerts: { enabled: true, sink: 'slack', webhookUrl: 'https://chat.example', additionalInfo: 'home' } }],
    [[], { debounce: '2s', rateGuard: { enabled: true, minimum: '10s', maximum: '30m' } }],
    [['--debounce=0s', '--rate-guard=false'], { debounce: '0s', rateGuard: { enabled: false, minimum: '10s' } }],
    [['--debounce', '5s', '--rate-guard'], { debounce: '5s', rateGuard: { enabled: true } }],
    [['--alert-sink=carrier-pigeon'], { alerts: { sink: '' } }],
  ])('%j', (line, config) => {
    expect(configured(line).config).toMatchObject(config)
  })

  // biome-ignore format: a table
  test.each([
    [{ KUBERNETES_NAMESPACE: 'web' }, [], { namespaces: ['web'] }],
    [{ KUBERNETES_NAMESPACE: 'web' }, ['--namespaces=a'], { namespaces: ['a'] }],
    [{ KUBERNETES_NAMESPACE: '' }, [], { namespaces: [] }],
    [{ METRICS_COUNT_BY_NAMESPACE: 'enabled' }, [], { metricsByNamespace: true }],
    [{ METRICS_COUNT_BY_NAMESPACE: 'true' }, [], { metricsByNamespace: false }],
    [{ ALERT_ON_RELOAD: 'true', ALERT_SINK: ' GChat ', ALERT_WEBHOOK_URL: ' https://chat.example/t ', ALERT_WEBHOOK_PROXY: 'http://proxy:3128', ALERT_ADDITIONAL_INFO: ' home ' }, [], { alerts: { enabled: true, sink: 'gchat', webhookUrl: 'https://chat.example/t', proxy: 'http://proxy:3128', additionalInfo: 'home' } }],
    [{ ALERT_ON_RELOAD: 'true' }, [], { alerts: { additionalInfo: '' } }],
    [{ ALERT_ON_RELOAD: 'true', ALERT_ADDITIONAL_INFO: '' }, [], { alerts: { additionalInfo: ' ' } }],
    [{ ALERT_ON_RELOAD: 'true', ALERT_ADDITIONAL_INFO: ' \n' }, [], { alerts: { additionalInfo: ' ' } }],
    [{ ALERT_ON_RELOAD: 'true', ALERT_SINK: '', ALERT_WEBHOOK_URL: '', ALERT_WEBHOOK_PROXY: '' }, [], { alerts: { enabled: true, sink: '', webhookUrl: '', proxy: '' } }],
    [{ ALERT_ON_RELOAD: '', ALERT_ADDITIONAL_INFO: '' }, [], { alerts: { enabled: false, additionalInfo: '' } }],
    [{ ALERT_ON_RELOAD: 'True', ALERT_SINK: 'slack' }, [], { alerts: { enabled: false, sink: '' } }],
    [{ ALERT_ON_RELOAD: 'true', ALERT_SINK: 'slack' }, ['--alert-sink=teams'], { alerts: { enabled: true, sink: 'teams' } }],
  ])('environment %j with %j', (environment, line, config) => {
    expect(configured(line, environment as Record<string, string>).config).toMatchObject(config)
  })

  test('an address for alerts that is none is told without it, and left out', () => {
    const { config, warnings } = configured([], { ALERT_ON_RELOAD: 'true', ALERT_WEBHOOK_URL: 'chat/secret-token' })
    expect(config).toMatchObject({ alerts: { enabled: true, webhookUrl: '' } })
    expect(warnings).toEqual(['ALERT_WEBHOOK_URL is no http or https URL and left out'])
  })

  test('where not all namespaces are watched, what leaves some out is left out and told; nothing else is watched', () => {
    const line = ['--namespaces=a,b', '--namespaces-to-ignore=b', '--namespace-selector=x=y']
    const { config, warnings, process } = configured(line)
    expect(config).toMatchObject({ namespaces: ['a', 'b'], namespacesToIgnore: [], namespaceSelector: '' })
    expect(process.watchNamespaces).toEqual(['a', 'b'])
    expect(warnings).toHaveLength(2)
  })

  test('the times of the Leases are those of the flags', () => {
    const line = [
      '--leader-election-lease-duration=30s',
      '--leader-election-renew-deadline=20s',
      '--leader-election-retry-period=5s',
    ]
    expect(configured(line).process).toMatchObject({
      leaderElectLeaseDuration: '30s',
      leaderElectRenewDeadline: '20s',
      leaderElectRetryPeriod: '5s',
    })
  })

  // biome-ignore format: a table
  test.each([
    [{}, [], 'default', 'host'],
    [{ RELOADER_NAMESPACE: 'tools' }, [], 'tools', 'host'],
    [{ RELOADER_NAMESPACE: 'tools', POD_NAMESPACE: 'pods', POD_NAME: 'reloader-0' }, [], 'pods', 'reloader-0'],
    [{ POD_NAMESPACE: 'pods', POD_NAME: 'reloader-0' }, ['--leader-election-namespace=locks'], 'locks', 'reloader-0'],
  ])('with %j and %j it lives in %s as %s', (environment, line, namespace, name) => {
    expect(configured(line, environment as Record<string, string>)).toMatchObject({ namespace, name })
  })
})

describe('what is wrong is told in one line with flag and value', () => {
  // biome-ignore format: a table
  test.each([
    [['--reload-strategy=sometimes'], /--reload-strategy.*sometimes/],
    [['--resources-to-ignore=configmaps,secrets'], /^--resources-to-ignore: found .*configmaps.*secrets/],
    [['--resources-to-ignore=secrets,secrets'], /^--resources-to-ignore: found .*secrets.*secrets/],
    [['--resources-to-ignore=pods'], /^--resources-to-ignore: found .*pods/],
    [['--ignored-workload-types=Jobs'], /^--ignored-workload-types: found .*Jobs/],
    [['--namespace-selector=a==(b'], /^--namespace-selector: found .*a==\(b/],
    [['--resource-label-selector="a in (b"'], /^--resource-label-selector: found .*a in \(b/],
    [['--namespaces=a"b'], /--namespaces.*a"b/],
    [['--auto-reload-all=maybe'], /--auto-reload-all.*maybe/],
    [['--enable-ha'], /^--enable-ha true: POD_NAME is not set/],
    [['--leader-election-lease-duration=5s'], /^--leader-election-lease-duration: found .*5s/],
    [['--debounce=soon'], /^--debounce: found "soon"/],
    [['--debounce=-2s'], /^--debounce: found "-2s"/],
    [['--rate-guard=maybe'], /--rate-guard.*maybe/],
    [['--bogus'], /--bogus/],
  ])('%j', (line, words) => {
    const message = messageOf(() => configured(line))
    expect(message).toMatch(words)
    expect(message.trim()).not.toContain('\n')
  })

  // biome-ignore format: a table
  test.each([
    ['ftp://user:pa55word@hook.example:2121/T0/tok3n?key=tok3n', 'ftp://hook.example:2121/…'],
    ['user:pa55word@hook.example/tok3n', '32 characters that are not shown'],
    ['hook.example/tok3n', '18 characters that are not shown'],
    ['https://user:pa55word@[bad/tok3n', '32 characters that are not shown'],
    [`https://user:pa55word@hook.example/${'tok3n'.repeat(1_000)}`, 'https://hook.example/…'],
  ])('an address %s is told by scheme and host alone', (address, shown) => {
    for (const flag of ['--webhook-url', '--alert-webhook-url', '--alert-proxy']) {
      const message = messageOf(() => configured([`${flag}=${address}`]))
      expect(message).toContain(`${flag}: found "${shown}"`)
      expect(message).not.toMatch(/pa55word|tok3n/)
    }
  })

  test('a replica among several has to know its namespace, too', () => {
    expect(messageOf(() => configured(['--enable-ha'], { POD_NAME: 'a' }))).toMatch(/POD_NAMESPACE is not set/)
    expect(configured(['--enable-ha'], { POD_NAME: 'a', POD_NAMESPACE: 'b' }).isHighlyAvailable).toBe(true)
  })
})

function messageOf(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
  throw new Error('nothing was refused')
}

// biome-ignore format: a table
test.each([
  [[], { isJson: false, level: 'info', warnings: [] }],
  [['--log-format=json', '--log-level=trace'], { isJson: true, level: 'debug', warnings: [] }],
  [['--log-level=WARNING'], { isJson: false, level: 'warn', warnings: [] }],
  [['--log-level=panic'], { isJson: false, level: 'error', warnings: [] }],
  [['--log-format=xml'], { isJson: false, level: 'info', warnings: [expect.stringMatching(/^--log-format: found "xml"/)] }],
  [['--log-level=loud'], { isJson: false, level: 'info', warnings: [expect.stringMatching(/^--log-level: found "loud"/)] }],
  [['--log-level=constructor'], { isJson: false, level: 'info', warnings: [expect.stringMatching(/^--log-level: found "constructor"/)] }],
])('log of %j', (line, expected) => {
  expect(reloaderLog(given(line))).toEqual(expected)
})
