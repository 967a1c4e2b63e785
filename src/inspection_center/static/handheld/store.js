// What the handheld keeps: orders as last seen, records and photos that wait for the link. IndexedDB, one database.

let opened = null;

const open = () => {
  opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open("handheld", 1);
    request.onupgradeneeded = () => {
      const database = request.result;
      database.createObjectStore("orders", { keyPath: "id" });
      database.createObjectStore("records", { keyPath: "place", autoIncrement: true });
      database.createObjectStore("photos", { keyPath: "sha256" });
      database.createObjectStore("facts", { keyPath: "name" });
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return opened;
};

// Runs `work(stores)` in one transaction; resolves with its result when everything is durable on the disk.
const transact = async (names, mode, work) => {
  const database = await open();
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(names, mode, { durability: "strict" });
    const stores = names.map((name) => transaction.objectStore(name));
    let result;
    transaction.oncomplete = () => resolve(result && "result" in result ? result.result : result);
    transaction.onabort = transaction.onerror = () => reject(transaction.error);
    result = work(...stores);
  });
};

export const fact = async (name) => (await transact(["facts"], "readonly", (facts) => facts.get(name)))?.value;
export const setFacts = (values) => transact(["facts"], "readwrite", (facts) => {
  Object.entries(values).forEach(([name, value]) => facts.put({ name, value }));
});

export const orders = () => transact(["orders"], "readonly", (store) => store.getAll());
export const setOrders = (list) => transact(["orders"], "readwrite", (store) => {
  store.clear();
  list.forEach((order) => store.put(order));
});

// Records wait in the order in which they were made. `refused` says why the center does not take one.
export const records = () => transact(["records"], "readonly", (store) => store.getAll());
export const addRecord = (officer, body, photos = []) => transact(["records", "photos"], "readwrite", (store, kept) => {
  photos.forEach((photo) => kept.put({ ...photo, officer, sent: false }));
  store.add({ officer, body, refused: "" });
});
export const refuse = (record, reason) => transact(["records"], "readwrite", (store) => store.put({ ...record, refused: reason }));
export const dropRecord = (record) => transact(["records", "photos"], "readwrite", (store, kept) => {
  store.delete(record.place);
  record.body.photos.forEach((sha256) => kept.delete(sha256));
});

export const photo = (sha256) => transact(["photos"], "readonly", (store) => store.get(sha256));
export const photoSent = (kept) => transact(["photos"], "readwrite", (store) => store.put({ ...kept, sent: true }));

// On signing out: what was shown goes, what still waits to be sent stays.
export const forget = () => transact(["orders", "facts"], "readwrite", (kept, facts) => {
  kept.clear();
  facts.clear();
});
