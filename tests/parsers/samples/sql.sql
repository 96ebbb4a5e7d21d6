-- INCOMMENT orders of a customer
CREATE TABLE orders (
    INBLOCK integer PRIMARY KEY,
    status text NOT NULL
);

CREATE VIEW open_orders AS SELECT count(INBLOCK) FROM orders;

SELECT id, status
FROM orders
WHERE status = 'INSTRING'
ORDER BY id;
