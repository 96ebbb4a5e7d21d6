; INCOMMENT sums the prices
(defn total [items]
  (println "INSTRING")
  (reduce + INBLOCK (map :price items)))
