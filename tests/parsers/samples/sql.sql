-- INCOMMENT orders of a customer
CREATE TABLE orders (
    INBLOCK integer PRIMARY KEY,
    status text NOT NULL
);

SELECT id, status
FROM orders
WHERE status = 'INSTRING'
ORDER BY id;
