// Freight container numbers, ISO 6346:2022: owner code, category, serial number, check digit (annex A).

const letterValues = new Map();
for (let code = 65, value = 10; code <= 90; code += 1, value += 1) {
  if (value % 11 === 0) value += 1;
  letterValues.set(String.fromCharCode(code), value);
}

export const fold = (text) => text.normalize("NFKC").toUpperCase().replace(/[^A-Z0-9]/g, "");

export const checkDigit = (ten) => {
  let sum = 0;
  for (let place = 0; place < 10; place += 1) {
    const sign = ten[place];
    sum += (letterValues.get(sign) ?? Number(sign)) * 2 ** place;
  }
  return (sum % 11) % 10;
};

// What to say about a number while it is typed: "empty", "short", "form", "wrong" (with the digit it should be) or "right".
export const judge = (text) => {
  const number = fold(text);
  if (!number) return { state: "empty", number };
  const form = "AAAUNNNNNNN";
  for (let place = 0; place < Math.min(number.length, 11); place += 1) {
    const wanted = { A: /[A-Z]/, U: /[UJZ]/, N: /[0-9]/ }[form[place]];
    if (!wanted.test(number[place])) return { state: "form", number };
  }
  if (number.length > 11) return { state: "form", number };
  if (number.length < 11) return { state: "short", number };
  const digit = checkDigit(number.slice(0, 10));
  return { state: digit === Number(number[10]) ? "right" : "wrong", number, digit };
};
