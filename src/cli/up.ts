// `ballast up` (and `npm start`): a cluster in trouble, in the twin, put right through its API, with everything shown on the way.

import { join } from 'node:path'
import { CommandRefused, type ExitCode } from '#process/surroundings.ts'
import { about } from './about.ts'
import { type DefineCommand, oneOf, type Surroundings, seedReader, wholeNumber } from './command-line.ts'
import { firstExample } from './source/installed-examples.ts'
import type { UpOptions } from './up/up-options.ts'

export const defineUp: DefineCommand = (program, surroundings) => {
  program
    .command('up')
    .description(about.up)
    .option('--cluster <path>', 'file or folder of objects, - for standard input', firstExample)
    .option(
      '--state <folder>',
      'keep the cluster there: the next start with the folder goes on with it, in the place of --cluster',
    )
    .option('--config <file>', 'the BallastConfiguration that Ballast runs with; else ConfigMap ballast-config of the cluster')
    .option('--policy <name>', 'the RebalancePolicy to run, where the cluster has several')
    .option('--api-port <number>', 'HTTPS port of the API server; 0 takes a free one', wholeNumber(0, 65_535), 0)
    .option('--bind <address>', 'address to listen on', '127.0.0.1')
    .option('--kubeconfig-out <file>', "where the administrator's kubeconfig is written", join('.ballast', 'kubeconfig'))
    .option('--speed <factor>', 'how many seconds of the cluster pass in one real second', wholeNumber(1, 10_000), 1)
    .option('--seed <number>', 'seed of every random choice; default: BALLAST_SEED, then 1', seedReader)
    .option('--ask', 'wait for a key, or for the page, before the plan is approved')
    .option('--hold', 'steer landings by the gate of a webhook instead of a taint')
    .option(
      '--once',
      'run on a virtual clock until nothing is left to do, then end with 0 (goals met), 3 (not met) or 4 (cannot be met)',
    )
    .option('-o, --output <format>', 'table or json (with --once: one document)', oneOf('table', 'json'), 'table')
    .option(
      '--port <number>',
      'port of the page on 127.0.0.1; 0 takes any free one; a port in use gives way to the next free one of 10',
      wholeNumber(0, 65_535),
      8080,
    )
    .option('--no-dashboard', 'serve no page')
    .option('--key', 'the page demands a one-time key, which is printed with its address; for a machine that others use too')
    .option('--verbose', 'log lines of the controller on standard error')
    .addHelpText('after', '\nExample: ballast up --once -o json > run.json')
    .action(async (options: UpOptions) => {
      if (options.output === 'json' && options.once !== true)
        throw new CommandRefused('-o json needs --once: only a run that ends has one result')
      if (options.once === true && options.state !== undefined)
        throw new CommandRefused('--once ends with what it prints: leave out --state')
      surroundings.end(await up(options, surroundings))
    })
}

/** What goes on needs more than what ends: each loads its own. */
async function up(options: UpOptions, surroundings: Surroundings): Promise<ExitCode> {
  if (options.once !== true) return await (await import('./up/up-on.ts')).runOn(options, surroundings)
  return await (await import('./up/up-once.ts')).runOnce(options, surroundings)
}
