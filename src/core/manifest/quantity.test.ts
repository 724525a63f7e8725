import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseBytes, parseComposeBytes, parseDuration, parsePercent, parseRate } from './quantity.ts'

const CASES: readonly (readonly [(text: string) => number | null, string, number | null])[] = [
  [parseDuration, '250ms', 250],
  [parseDuration, '1.5s', 1500],
  [parseDuration, '1m30s', 90_000],
  [parseDuration, '2d', 172_800_000],
  [parseDuration, '10', null],
  [parseDuration, '10 s', null],
  [parseDuration, '-1s', null],
  [parseDuration, '', null],
  [parseBytes, '256MiB', 268_435_456],
  [parseBytes, '256MB', 256_000_000],
  [parseBytes, '1.5GiB', 1_610_612_736],
  [parseBytes, '256', null],
  [parseBytes, '256M', null],
  [parseComposeBytes, '512m', 536_870_912],
  [parseComposeBytes, '1gb', 1_073_741_824],
  [parseComposeBytes, '1024', 1024],
  [parseComposeBytes, 'much', null],
  [parsePercent, '99.9%', 0.999],
  [parsePercent, '100%', 1],
  [parsePercent, '0.1%', 0.001],
  [parsePercent, '100.1%', null],
  [parsePercent, '99', null],
  [parseRate, '200/s', 200],
  [parseRate, '600/min', 10],
  [parseRate, '200', null],
]

for (const [read, text, value] of CASES) test(`${read.name} reads ${JSON.stringify(text)} as ${value}`, () => assert.equal(read(text), value))
