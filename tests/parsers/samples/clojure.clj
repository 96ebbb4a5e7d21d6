(ns shop.cart
  (:require [clojure.string :as str]))

;; INCOMMENT prices are net
(defn total
  "INSTRING of the cart"
  [items tax]
  (let [subtotal (reduce + (map :price items))]
    (if (pos? subtotal)
      (* subtotal (+ 1 inblock tax))
      0)))

(defn label [item]
  (str/upper-case (:name item)))
