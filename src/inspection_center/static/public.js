// Solves the challenge of the progress form before it is sent: the smallest number whose SHA-256 with the challenge's id
// begins with enough zero bits. Own SHA-256 (FIPS 180-4), because the browser's is not there on plain HTTP.
"use strict";

// Round constants and start: fractional parts of roots of the first primes (FIPS 180-4, 4.2.2 and 5.3.3).
const primes = [];
for (let n = 2; primes.length < 64; n += 1) if (primes.every((p) => n % p)) primes.push(n);
const fraction = (value) => Math.floor((value - Math.floor(value)) * 2 ** 32) | 0;
const ROUND = primes.map((p) => fraction(Math.cbrt(p)));
const START = primes.slice(0, 8).map((p) => fraction(Math.sqrt(p)));
const turn = (x, n) => (x >>> n) | (x << (32 - n));

// First word of the digest of an ASCII text shorter than 56 characters: one block.
const firstWord = (text) => {
  const w = new Int32Array(64);
  for (let i = 0; i < text.length; i += 1) w[i >> 2] |= text.charCodeAt(i) << (24 - 8 * (i & 3));
  w[text.length >> 2] |= 0x80 << (24 - 8 * (text.length & 3));
  w[15] = text.length * 8;
  for (let i = 16; i < 64; i += 1) {
    const a = w[i - 15], b = w[i - 2];
    w[i] = w[i - 16] + (turn(a, 7) ^ turn(a, 18) ^ (a >>> 3)) + w[i - 7] + (turn(b, 17) ^ turn(b, 19) ^ (b >>> 10));
  }
  let [a, b, c, d, e, f, g, h] = START;
  for (let i = 0; i < 64; i += 1) {
    const s = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + ROUND[i] + w[i]) | 0;
    const m = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g; g = f; f = e; e = (d + s) | 0; d = c; c = b; b = a; a = (s + m) | 0;
  }
  return (START[0] + a) >>> 0;
};

const solve = async (identity, bits) => {
  for (let number = 0; ; number += 1) {
    if (firstWord(`${identity}:${number}`) < 2 ** (32 - bits)) return String(number);
    // Let the page breathe: a slow telephone would seem dead.
    if (number % 5000 === 4999) await new Promise((done) => { setTimeout(done); });
  }
};

document.addEventListener("DOMContentLoaded", () => {
  const form = document.getElementById("progress-form");
  if (!form) return;
  form.addEventListener("submit", async (event) => {
    if (form.elements.answer.value) return;
    event.preventDefault();
    const place = document.getElementById("working");
    place.textContent = place.dataset.working;
    form.elements.answer.value = await solve(form.dataset.work, Number(form.dataset.bits));
    form.requestSubmit();
  });
});
