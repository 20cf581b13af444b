// How much there is in a key of Redis: a list, a set, a sorted set, a hash, or a stream and what its consumers have not done.
import { AnswerError } from '#kube/outside-error.ts'
import { defaulted, here, integer, optional, readParameters, required, TriggerProblem, text } from '../../triggers/parameters.ts'
import { oneMetric, type ScalerKind } from '../scaler.ts'
import { placeParameters, type RedisAsk, type RedisKind, redisPlace } from './redis-place.ts'
import { RedisError } from './redis-session.ts'

const listParameters = {
  listName: required(text, here('the key')),
  listLength: defaulted(integer, '5', here('amount aimed at')),
  activationListLength: defaulted(integer, '0', here('active above it')),
}

const kindOf = (type: string): RedisKind =>
  type.includes('cluster') ? 'cluster' : type.includes('sentinel') ? 'sentinel' : 'server'

/** What counts the members of a key of each type. */
const counting: Readonly<Record<string, string>> = { list: 'LLEN', none: 'LLEN', set: 'SCARD', zset: 'ZCARD', hash: 'HLEN' }

export const redisList: ScalerKind = {
  types: ['redis', 'redis-cluster', 'redis-sentinel'],
  about: 'members of a list, a set, a sorted set or a hash of Redis',
  parameters: { ...listParameters, ...placeParameters },
  async open(trigger, world) {
    const { listName, listLength, activationListLength } = readParameters(listParameters, trigger.given, trigger.type)
    const place = redisPlace(kindOf(trigger.type), trigger.given, trigger.type, world)
    const length = async (ask: RedisAsk) => {
      const type = String(await ask('TYPE', listName))
      const command = Object.hasOwn(counting, type) ? counting[type] : undefined
      if (command === undefined) throw new AnswerError(`unsupported key type: ${type.slice(0, 60)}`)
      return numberIn(await ask(command, listName))
    }
    const read = (signal: AbortSignal) => place.look(length, signal)
    return oneMetric(trigger, { tail: `redis-${listName}`, target: listLength, activation: activationListLength, read })
  },
}

const streamParameters = {
  stream: required(text, here('the key')),
  consumerGroup: optional(text, here('without it all entries of the stream count')),
  pendingEntriesCount: defaulted(integer, '5', here('aimed at: entries that consumers took and have not done')),
  streamLength: defaulted(integer, '5', here('aimed at: entries, where no group is given')),
  lagCount: optional(integer, here('aimed at: entries that the group has not taken; Redis 7 and later')),
  activationLagCount: defaulted(integer, '0', here('active above it')),
}

export const redisStream: ScalerKind = {
  types: ['redis-streams', 'redis-cluster-streams', 'redis-sentinel-streams'],
  about: 'entries of a stream of Redis that wait',
  parameters: { ...streamParameters, ...placeParameters },
  async open(trigger, world) {
    const given = readParameters(streamParameters, trigger.given, trigger.type)
    const { stream, consumerGroup: group } = given
    const place = redisPlace(kindOf(trigger.type), trigger.given, trigger.type, world)
    const lagTarget = given.lagCount === 0 ? undefined : given.lagCount
    const length = async (ask: RedisAsk) => numberIn(await ask('XLEN', stream))
    const pending = async (ask: RedisAsk) => {
      const summary = await ask('XPENDING', stream, group ?? '')
      return numberIn(Array.isArray(summary) ? summary[0] : summary)
    }
    const lag = async (ask: RedisAsk) => {
      await needsVersion7(ask)
      return (await lagOf(ask, stream, group ?? '')) ?? (await length(ask))
    }
    const [count, target] =
      group === undefined
        ? [length, given.streamLength]
        : lagTarget === undefined
          ? [pending, given.pendingEntriesCount]
          : [lag, lagTarget]
    if (target < 0) throw new TriggerProblem('a target below 0')
    const read = (signal: AbortSignal) => place.look(count, signal)
    return oneMetric(trigger, { tail: `redis-streams-${stream}`, target, activation: given.activationLagCount, read })
  },
}

/** Older ones do not say how far a group is behind. */
async function needsVersion7(ask: RedisAsk): Promise<void> {
  const version = /^redis_version:(\d+)\./m.exec(String(await ask('INFO', 'server')))?.[1]
  if (version === undefined) throw new AnswerError('could not find Redis version number')
  if (Number(version) < 7) throw new AnswerError('redis version 7+ required for lag')
}

/** 0 where there is no such stream yet; undefined where the group is not there yet. */
async function lagOf(ask: RedisAsk, stream: string, group: string): Promise<number | undefined> {
  let groups: Awaited<ReturnType<RedisAsk>>
  try {
    groups = await ask('XINFO', 'GROUPS', stream)
  } catch (error) {
    if (error instanceof RedisError && error.message === 'ERR no such key') return 0
    throw error
  }
  for (const one of Array.isArray(groups) ? groups : []) {
    const fields = Array.isArray(one) ? one : []
    const field = (name: string): unknown => fields[fields.indexOf(name) + 1]
    if (!fields.includes('name') || field('name') !== group) continue
    // Redis does not know it after entries in the middle were deleted.
    if (field('lag') === null) throw new AnswerError(`Redis does not know how far the group ${group} is behind`)
    return numberIn(field('lag'))
  }
  return undefined
}

function numberIn(reply: unknown): number {
  if (typeof reply === 'number') return reply
  throw new AnswerError('Redis answered with something that is no number')
}
