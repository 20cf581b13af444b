// `ballast why KIND/NAME`: what was done with it and what was not, by whom, by which rule; what would be said now, and what would change it.

import { stringify } from 'yaml'
import { accountOf } from '#coordination/account/account.ts'
import { accountDocument } from '#coordination/account/account-document.ts'
import { findSubject, type Search, type Subject } from '#coordination/account/subject.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { enabledCapabilities } from '#process/enabled-capabilities.ts'
import { ballastNamespace } from '#process/own-names.ts'
import { CommandRefused, type ExitCode, exitCodes } from '#process/surroundings.ts'
import { about } from './about.ts'
import { type AccountOptions, loadAccounts, timeOption, withAccounts } from './account/account-source.ts'
import { accountLines } from './account/account-text.ts'
import { capabilityWords, wordsLines } from './account/capability-words.ts'
import { type Explanation, explainedKind } from './account/explained-kinds.ts'
import { type DefineCommand, oneOf, type Surroundings } from './command-line.ts'
import { schedulerOf } from './source/scheduler-source.ts'
import { harmless, paragraph } from './terminal/paragraph.ts'

interface WhyOptions extends AccountOptions {
  readonly namespace?: string
  readonly at?: string
  readonly once?: boolean
  readonly output: 'text' | 'json' | 'yaml'
}

export const defineWhy: DefineCommand = (program, surroundings) => {
  withAccounts(program.command('why <kind/name>'))
    .description(about.why)
    .option('-n, --namespace <name>', 'namespace of the object; without it all namespaces are searched')
    .option('--at <time>', 'as it was at this time: 2026-03-04T05:06:07Z, or how long ago, such as 2h')
    .option('--once', 'of PodMetrics and NodeMetrics: the kubelet is read once, without the 15 s to a second reading')
    .option('-o, --output <format>', 'one of text, json, yaml', oneOf('text', 'json', 'yaml'), 'text')
    .addHelpText(
      'after',
      [
        '\nKIND as kubectl takes it: deploy, sts, ds, cronjob, job, rs, pod, node; and plan, policy, permit.',
        'A pod, ReplicaSet or permit leads to its workload. PodMetrics/NAME and NodeMetrics/NAME: by which rule',
        'it is served or left out, from what its kubelet says (needs the right to get nodes/proxy).',
        'ScaledObject/NAME: its triggers, and what holds it where it is.',
        'Exit codes: 0 it was explained, 2 there is no such object.',
        'Example: ballast why deploy/kometa -n media --kubeconfig .ballast/kubeconfig',
      ].join('\n'),
    )
    .action(async (name: string, options: WhyOptions) => surroundings.end(await printAccount(name, options, surroundings)))
}

async function printAccount(name: string, options: WhyOptions, surroundings: Surroundings): Promise<ExitCode> {
  const { terminal } = surroundings
  const explanation = await explainedKind(name, options, surroundings)
  if (explanation !== undefined) return printExplanation(explanation, options, surroundings)
  const { cluster, book, observed, settings, settingsFrom, nowMs } = await loadAccounts(options, surroundings, [builtIn.cronjobs])
  const subject = found(findSubject(name, options.namespace, { state: cluster.state, book }), cluster.shown)
  const words = await capabilityWords(
    { subject, cluster, nowMs, settings, settingsFrom, capabilities: enabledCapabilities },
    options,
    surroundings,
  )
  const said = Object.keys(words).length === 0 ? {} : { words }
  const account = accountOf({
    subject,
    state: cluster.state,
    book,
    observed,
    policy: settings.arbiter,
    ownerLabel: settings.ownerLabel,
    ownNamespace: ballastNamespace,
    settings: schedulerOf(cluster),
    nowMs,
    askers: enabledCapabilities,
    ...(options.at === undefined ? {} : { atMs: timeOption('--at', options.at, nowMs) }),
  })
  switch (options.output) {
    case 'json':
      terminal.write(JSON.stringify({ ...accountDocument(account, settingsFrom), ...said }, undefined, 2))
      break
    case 'yaml':
      terminal.write(stringify({ ...accountDocument(account, settingsFrom), ...said }, { lineWidth: 0 }).trimEnd())
      break
    case 'text':
      for (const line of accountLines(account, settingsFrom, terminal.colour)) terminal.write(line)
      for (const line of wordsLines(words, terminal.colour)) terminal.write(line)
      break
  }
  return exitCodes.done
}

function printExplanation(
  { sections, document, isFound }: Explanation,
  { output }: WhyOptions,
  { terminal }: Surroundings,
): ExitCode {
  switch (output) {
    case 'json':
      terminal.write(JSON.stringify(document, undefined, 2))
      break
    case 'yaml':
      terminal.write(stringify(document, { lineWidth: 0 }).trimEnd())
      break
    case 'text':
      for (const { heading, lines, isVerbatim = false } of sections) {
        terminal.write(terminal.colour.bold(harmless(heading)))
        for (const line of lines)
          for (const part of isVerbatim ? [`  ${harmless(line)}`] : paragraph(line, '  ', '    ')) terminal.write(part)
      }
      break
  }
  return isFound ? exitCodes.done : exitCodes.badInput
}

/** The one that is meant. @throws CommandRefused with the nearest name, or all that it may mean */
function found(search: Search, shown: string): Subject {
  switch (search.kind) {
    case 'found':
      return search.subject
    case 'unknown-kind':
      if (/^(cm|configmaps?|secrets?)\//i.test(search.found))
        throw new CommandRefused(
          'of a ConfigMap or Secret nothing is done by itself: ask for a workload that uses it, such as deploy/cart; ballast permits tells what its changes rolled out',
        )
      throw new CommandRefused(
        `found ${JSON.stringify(search.found)}, expected KIND/NAME such as deploy/cart, pod/cart-0 or node/talos00${search.nearest === undefined ? '' : `; did you mean ${search.nearest}/...?`}`,
      )
    case 'none':
      throw new CommandRefused(
        `no ${search.shown} in ${shown}${search.nearest === undefined ? '' : `; did you mean ${search.nearest}?`}`,
      )
    case 'several':
      throw new CommandRefused(
        `there are ${search.shown.length} of that name: ${search.shown.join(', ')}; say which with -n NAMESPACE`,
      )
  }
}
